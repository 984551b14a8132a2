#pragma once

#include "autograd/variable.h"

namespace tailseg {

// scale[k] * w[k, ..], in `dtype`. w [K, ..], scale [K], both float32 (float64).
Tensor fold_scale(Context& ctx, const Tensor& w, const Tensor& scale, DType dtype);
// Gradients of fold_scale; either destination may be undefined.
void fold_scale_backward(Context& ctx, const Tensor& w, const Tensor& scale, const Tensor& dfolded, const Tensor& dw,
                         const Tensor& dscale);

struct ScaleAndBias {
  Variable scale, bias;  // [C]
};
// A batch norm with frozen statistics as a scale and a bias, differentiable in gamma and beta (all [C]).
ScaleAndBias fold_batch_norm(Context& ctx, const Variable& gamma, const Variable& beta, const Tensor& mean,
                             const Tensor& var, double eps);

}  // namespace tailseg
