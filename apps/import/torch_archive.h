// The two containers of torch.save. Both hold one pickle and, beside it, the bytes of the storages it names:
//   zip (PyTorch 1.6 on): <stem>/data.pkl and <stem>/data/<key>, entries stored uncompressed
//   legacy: pickle(magic) pickle(1001) pickle(system) pickle(object) pickle([key, ..]), then for each key an int64
//   number
//           of elements and the bytes
#pragma once

#include <memory>
#include <span>
#include <string>

#include "apps/import/pickle.h"
#include "apps/import/pickled_tensors.h"

namespace tailseg {

class TorchArchive {
 public:
  virtual ~TorchArchive() = default;
  virtual const PickleValue& root() const = 0;
  // The bytes of a storage; they live as long as the archive. Throws Error when it is missing, damaged or of another
  // length than the pickle says.
  virtual std::span<const std::byte> storage(const StorageName& name) = 0;
};

bool looks_like_zip(std::span<const std::byte> bytes);
bool looks_like_legacy_torch(std::span<const std::byte> bytes);

// Whether this build has libzip.
bool can_open_torch_zip();

// `bytes` must outlive the archive. open_torch_zip throws Error in a build without libzip.
std::unique_ptr<TorchArchive> open_torch_zip(std::span<const std::byte> bytes, const std::string& file);
std::unique_ptr<TorchArchive> open_legacy_torch(std::span<const std::byte> bytes, const std::string& file);

}  // namespace tailseg
