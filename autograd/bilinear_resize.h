#pragma once

#include "autograd/variable.h"

namespace tailseg {

// x [N, H, W, C] -> [N, height, width, C] by bilinear interpolation, as PyTorch's interpolate(mode="bilinear") without
// antialiasing. align_corners: the corner pixels' centres are kept; else pixels count as areas (half-pixel centres).
Variable bilinear_resize(Context& ctx, const Variable& x, int64_t height, int64_t width, bool align_corners);

}  // namespace tailseg
