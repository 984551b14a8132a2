// A tensor as it lies in a file: dtype name, shape, little-endian bytes in C order. It knows no device and no layout
// beyond "as the ecosystem stores it" (filters O,I,H,W); the state dict converts between it and the tensors of tensor/.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace tailseg {

struct HostTensor {
  std::string dtype;           // safetensors' names: "F32", "BF16", "I64", ...
  std::vector<int64_t> shape;  // empty: a scalar
  std::vector<std::byte> bytes;
};

using HostTensors = std::map<std::string, HostTensor>;
using TextMap = std::map<std::string, std::string>;

// Bytes of one element of a safetensors dtype; 0 for a name that is not one.
int64_t host_dtype_bytes(const std::string& dtype);

// Product of the axes. Throws Error for a negative axis or a product beyond 2^62; `what` names the tensor in the
// message.
int64_t host_elements(const std::vector<int64_t>& shape, const std::string& what);

// "[64, 3, 7, 7]", for messages and tables.
std::string shape_text(const std::vector<int64_t>& shape);

// Any numeric dtype widened (or, for F64 and I64, narrowed) to float32.
std::vector<float> host_to_float32(const HostTensor& tensor, const std::string& what);

HostTensor host_from_float32(const std::vector<int64_t>& shape, const std::vector<float>& values);

}  // namespace tailseg
