// RLE text: an Error, or runs that survive a round trip and agree with the decoded mask. The first two bytes choose
// the height and width, the rest is the text.
#include <cstddef>
#include <cstdint>
#include <numeric>

#include "datasets/mask/iou.h"
#include "tensor/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  tailseg::Rle rle{data[0], data[1], {}};
  try {
    tailseg::rle_from_string({reinterpret_cast<const char*>(data) + 2, size - 2}, rle.counts);
    std::vector<uint32_t> again;
    tailseg::rle_from_string(tailseg::rle_to_string(rle.counts), again);
    if (again != rle.counts) __builtin_trap();
    tailseg::check_rle(rle);
  } catch (const tailseg::Error&) {
    return 0;
  }
  std::vector<uint8_t> mask(static_cast<size_t>(rle.height) * static_cast<size_t>(rle.width));
  tailseg::rle_decode(rle, mask);
  if (std::accumulate(mask.begin(), mask.end(), int64_t{0}) != tailseg::rle_area(rle)) __builtin_trap();
  const tailseg::MeasuredMask one(rle), encoded(tailseg::rle_encode(mask, rle.height, rle.width));
  if (one.area != encoded.area || tailseg::rle_intersection(rle, encoded.rle) != one.area) __builtin_trap();
  if (one.area > 0 && tailseg::mask_iou(one, encoded, false) != 1) __builtin_trap();
  if (tailseg::rle_union(std::vector{rle, encoded.rle}).counts != encoded.rle.counts) __builtin_trap();
  return 0;
}
