// Convolution with everything that follows it in a residual network, as one op:
//   y = relu(scale * (w conv x) + bias + residual)
// scale and bias are per output channel (a frozen batch norm's affine, or a plain bias). The scale is folded into the
// working filters, so that the libraries' own epilogues do the rest.
// x, the residual and the result may be bfloat16: parameters and their gradients stay float32, and products take the
// filters' working copy (Variable::value_as).
#pragma once

#include "autograd/variable.h"
#include "tensor/conv.h"

namespace tailseg {

struct Epilogue {
  Variable scale{};     // [K] or undefined
  Variable bias{};      // [K] or undefined
  Variable residual{};  // shape of the result or undefined
  bool relu = false;
};

// x [N, H, W, C], w [K, R, S, C/groups] -> [N, P, Q, K].
Variable convolution(Context& ctx, const Variable& x, const Variable& w, const ConvGeometry& geometry,
                     const Epilogue& epilogue = {});

// Transposed convolution, of one group: x [N, H, W, K], w [K, R, S, C] -> [N, (H-1)*stride + R - 2*padding, .., C],
// relu(. + bias).
Variable transposed_convolution(Context& ctx, const Variable& x, const Variable& w, const ConvGeometry& geometry,
                                const Variable& bias, bool relu = false);

}  // namespace tailseg
