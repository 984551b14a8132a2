// Other people's weight files: zip and legacy archives of torch.save and plain pickles, told apart by their first
// bytes. What is read is converted too, so that names and shapes go through the import's own checks.
#include <cstddef>
#include <cstdint>
#include <span>

#include "apps/import/convert.h"
#include "apps/import/weights_file.h"
#include "tensor/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    tailseg::WeightsFile file = tailseg::parse_weights(std::as_bytes(std::span(data, size)), "fuzz");
    for (const auto& [name, tensor] : file.tensors) tailseg::host_to_float32(tensor, name);
    tailseg::import_table(tailseg::convert_weights(std::move(file)));
  } catch (const tailseg::Error&) {
  }
  return 0;
}
