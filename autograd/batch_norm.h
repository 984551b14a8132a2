#pragma once

#include "autograd/variable.h"

namespace tailseg {

// Batch normalisation in training: statistics of this batch (over N, H, W), running statistics moved in place.
//   y = relu(gamma * (x - mean) / sqrt(var + eps) + beta + residual)
// x [.., C] in any floating type; gamma, beta, running_mean, running_var [C] in the compute type. residual may be
// undefined. With frozen or evaluated statistics use the convolution with a FrozenNorm instead.
Variable batch_norm(Context& ctx, const Variable& x, const Variable& gamma, const Variable& beta,
                    const Tensor& running_mean, const Tensor& running_var, double eps, double momentum,
                    const Variable& residual = {}, bool relu = false);

}  // namespace tailseg
