// The tensor halves of relu, used by every op that fuses it.
#pragma once

#include "tensor/tensor.h"

namespace tailseg {

Tensor relu_forward(Context& ctx, const Tensor& x);
Tensor relu_backward(Context& ctx, const Tensor& dy, const Tensor& y);            // y is relu's output
Tensor broadcast_scalar(Context& ctx, const Tensor& scalar, const Shape& shape);  // scalar [1]

}  // namespace tailseg
