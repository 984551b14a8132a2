// The few constructions in a pickle that mean a tensor: PyTorch's _rebuild_tensor_v2 over a storage (and the wrappers
// of parameters around it), and NumPy arrays. Everything they say is checked before memory is reserved for it.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "apps/import/pickle.h"
#include "nn/host_tensor.h"

namespace tailseg {

// A storage as a persistent id names it: ("storage", class, key, location, elements[, view]).
struct StorageName {
  std::string key;
  std::string dtype;       // safetensors' name
  int64_t elements = 0;    // of the storage that `key` names
  int64_t view_begin = 0;  // old files may name a part of a storage: [view_begin, view_begin + view_elements)
  int64_t view_elements = 0;
};

// Throws Error when the value is no storage id or names a storage class that is not a plain numeric one.
StorageName storage_name(const PickleValue& persistent, const std::string& what);

// Total bytes that tensors of one file may occupy; shared storages and zero strides could otherwise turn a small file
// into any amount of memory.
struct ByteBudget {
  uint64_t left = 0;
  void spend(uint64_t bytes, const std::string& what);
};

using StorageBytes = std::function<std::span<const std::byte>(const StorageName&)>;

// True for what tensor_of() understands.
bool is_tensor(const PickleValue& value);

// Gathers the tensor into C order. `what` names it in messages ("file: tensor 'x'"); `storage` delivers the bytes of a
// storage (exactly elements * element size of them) and is not called for NumPy arrays.
HostTensor tensor_of(const PickleValue& value, const std::string& what, const StorageBytes& storage,
                     ByteBudget& budget);

}  // namespace tailseg
