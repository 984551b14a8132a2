// y = relu(y + bias + residual) in place, each part optional: what follows a convolution when the library has no fused
// form for it.
#pragma once

#include "tensor/conv.h"

namespace tailseg {

// y [N, P, Q, K]; bias [K] of its dtype or compute_dtype, residual as y.
void apply_conv_epilogue(Context& ctx, const Tensor& y, const ConvEpilogue& epilogue);

// The bias in its compute_dtype, undefined when there is none: what our own kernels read.
Tensor full_bias(Context& ctx, const ConvEpilogue& epilogue);

}  // namespace tailseg
