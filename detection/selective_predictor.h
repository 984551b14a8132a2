// Class-selective predictors (DESIGN 4): the last layer of the mask head, and of the box head in training, computed for
// each RoI's own class only. The results are those of the full layer followed by a pick; a [RoIs, 1203, 28, 28] tensor
// never exists. Gradients are gathered class by class, in the RoIs' order.
#pragma once

#include "autograd/variable.h"

namespace tailseg {

// features [R, M, M, C] (after the deconvolution's relu), weight [K, 1, 1, C], bias [K], label [R] int32 class
// -> logits [R, M, M]. A label outside [0, K) gives zeros and no gradient; with K = 1 (class-agnostic) every label that
// is not negative uses the one filter.
Variable selective_mask(Context& ctx, const Variable& features, const Variable& weight, const Variable& bias,
                        const Tensor& label);

// features [R, F], weight [4 K, F], bias [4 K], label [R] int32 class -> offsets [R, 4]. A label outside [0, K)
// (background is K) gives zeros and no gradient; with K = 1 every label that is not negative uses the one filter.
Variable selective_deltas(Context& ctx, const Variable& features, const Variable& weight, const Variable& bias,
                          const Tensor& label);

}  // namespace tailseg
