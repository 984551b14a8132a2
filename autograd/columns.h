#pragma once

#include "tensor/tensor.h"

namespace tailseg {

struct MaskedGradient {
  Tensor dy;    // dy where y > 0, else 0 (dy itself when y is undefined)
  Tensor sums;  // [columns], over every axis but the last, of dy's compute_dtype; undefined when not asked for
};

// The two things every fused op's backward begins with: undo relu, and the bias gradient, in one pass.
// dy [.., columns]; y of the same shape or undefined. sums_to, when given and defined, receives the sums.
MaskedGradient mask_and_sum(Context& ctx, const Tensor& dy, const Tensor& y, bool want_sums,
                            const Tensor& sums_to = {});

}  // namespace tailseg
