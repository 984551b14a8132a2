#pragma once

#include "autograd/variable.h"

namespace tailseg {

// x [N, H, W, C] -> [N, C]: the mean over each image's pixels (classification heads).
Variable global_average_pool(Context& ctx, const Variable& x);

}  // namespace tailseg
