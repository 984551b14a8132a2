// The pyramid level from which a box's features are pooled: large boxes from coarse levels (Lin et al., "Feature
// pyramid networks", 2017, equation 1). The references differ in where a small constant guards the logarithm, which
// moves boxes that lie on the border between two levels (METHODS 2.7).
#pragma once

#include "tensor/tensor.h"

namespace tailseg {

// With a = area, result clamped to the levels there are, index 0 = P2:
enum class LevelRule : unsigned char {
  mmdet,        // floor(log2(sqrt(a) / 56 + 1e-6))
  detectron2,   // floor(4 + log2(sqrt(a) / 224 + 1e-8)) - 2
  torchvision,  // floor(4 + log2(sqrt(a) / 224) + 1e-6) - 2
  mmdet1,       // as mmdet with width and height one larger
};

// boxes [..., 4] float32 or float64 -> [...] int32 level of each box, in [0, levels). Boxes with NaN go to level 0.
Tensor assign_levels(Context& ctx, const Tensor& boxes, int64_t levels, LevelRule rule);

}  // namespace tailseg
