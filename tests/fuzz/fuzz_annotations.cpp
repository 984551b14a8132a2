// Annotation JSON: either an Error, or a set whose arrays fit together and whose masks can be made.
#include <cstddef>
#include <cstdint>

#include "datasets/annotations.h"
#include "tensor/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const auto set = tailseg::parse_annotations({reinterpret_cast<const char*>(data), size}, "fuzz");
    int64_t seen = 0;
    for (int32_t image = 0; image < set.images.size(); ++image) {
      for (const int32_t a : set.by_image[image]) {
        if (set.annotations.image[a] != image || set.annotations.label[a] >= set.class_count()) __builtin_trap();
        ++seen;
        tailseg::is_training_target(set, a);
        const int64_t pixels = int64_t{set.images.width[image]} * set.images.height[image];
        if (pixels <= 1 << 20) tailseg::check_rle(tailseg::annotation_mask(set, a));
      }
    }
    if (seen != set.annotations.size()) __builtin_trap();
  } catch (const tailseg::Error&) {
  }
  return 0;
}
