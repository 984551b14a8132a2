#pragma once

#include "autograd/variable.h"

namespace tailseg {

// x [N, H, W, C] -> [N, P, Q, C], windows of window x window (at most 15). P = (H + 2 padding - window) / stride + 1.
Variable max_pool(Context& ctx, const Variable& x, int64_t window, int64_t stride, int64_t padding);

}  // namespace tailseg
