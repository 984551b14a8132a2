// Safetensors bytes: the header's rules, then every tensor's bytes, which must be exactly what its shape says.
#include <cstddef>
#include <cstdint>
#include <span>

#include "nn/safetensors.h"
#include "tensor/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const tailseg::TensorFile file = tailseg::parse_safetensors(std::as_bytes(std::span(data, size)), "fuzz");
    for (const auto& [name, tensor] : file.tensors) {
      const int64_t bytes = tailseg::host_elements(tensor.shape, name) * tailseg::host_dtype_bytes(tensor.dtype);
      if (bytes != int64_t(tensor.bytes.size())) __builtin_trap();
    }
  } catch (const tailseg::Error&) {
  }
  return 0;
}
