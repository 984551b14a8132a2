// Image bytes as they come from a disk: container walk, EXIF, stb_image under its limits, turning upright. A mutated
// PNG nearly always fails its checksums, so a second attempt with the checksums made right reaches the decoder.
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "datasets/image_container.h"
#include "datasets/image_decode.h"
#include "tensor/error.h"

namespace {

void decode(std::span<const uint8_t> bytes) {
  tailseg::DecodeOptions options;
  options.max_pixels = 1 << 20;
  options.max_file_bytes = 1 << 20;
  try {
    const tailseg::Image image = tailseg::decode_image(bytes, "fuzz", options);
    if (image.pixels.size() != static_cast<size_t>(image.width * image.height * 3)) __builtin_trap();
  } catch (const tailseg::Error&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  decode({data, size});
  if (size < 20 || data[0] != 0x89) return 0;
  std::vector<uint8_t> repaired(data, data + size);
  for (size_t at = 8; at + 12 <= size;) {
    const size_t length =
        size_t{repaired[at]} << 24 | repaired[at + 1] << 16 | repaired[at + 2] << 8 | repaired[at + 3];
    if (length > size - at - 12) break;
    const uint32_t crc = tailseg::crc32({repaired.data() + at + 4, length + 4});
    for (int i = 0; i < 4; ++i) repaired[at + 8 + length + i] = static_cast<uint8_t>(crc >> (24 - 8 * i));
    at += length + 12;
  }
  decode(repaired);
  return 0;
}
