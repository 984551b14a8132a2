// Convolution with everything that follows it in a residual network, as one op:
//   y = relu(norm(w conv x) + bias + residual)
// The norm is a batch norm with frozen statistics; it is folded into the working filters and the bias (fold_body.h), so
// that the libraries' own epilogues do the rest.
// x, the residual and the result may be bfloat16: parameters and their gradients stay float32, and products take the
// working copies (Variable::value_as).
#pragma once

#include "autograd/fold.h"
#include "tensor/conv.h"

namespace tailseg {

struct Epilogue {
  FrozenNorm norm{};    // of K channels or undefined
  Variable bias{};      // [K] or undefined; not beside a norm, which has its own
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
