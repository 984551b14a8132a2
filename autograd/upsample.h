#pragma once

#include "autograd/variable.h"

namespace tailseg {

// lateral [N, H, W, C] + nearest-neighbour upsampling of top [N, h, w, C] to H x W (FPN, METHODS 5.1).
Variable upsample_add(Context& ctx, const Variable& lateral, const Variable& top);

}  // namespace tailseg
