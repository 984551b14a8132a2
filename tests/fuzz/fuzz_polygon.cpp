// Polygons: an Error, or runs that fill the mask. The first two bytes choose the height and width, the rest are
// coordinates of 8 bytes each (any double, also NaN and infinity).
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "datasets/mask/polygon.h"
#include "tensor/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  std::vector<double> coordinates((size - 2) / sizeof(double));
  if (!coordinates.empty()) std::memcpy(coordinates.data(), data + 2, coordinates.size() * sizeof(double));
  try {
    const tailseg::Rle rle = tailseg::polygon_to_rle(coordinates, data[0], data[1]);
    tailseg::check_rle(rle);
    for (size_t i = 1; i < rle.counts.size(); ++i) {
      if (rle.counts[i] == 0) __builtin_trap();
    }
    if (coordinates.size() >= 4) {
      tailseg::check_rle(
          tailseg::box_to_rle({coordinates[0], coordinates[1], coordinates[2], coordinates[3]}, data[0], data[1]));
    }
  } catch (const tailseg::Error&) {
  }
  return 0;
}
