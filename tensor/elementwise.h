// Element-wise arithmetic and whole-tensor sums. Operands have equal shape and dtype; nothing broadcasts.
#pragma once

#include "tensor/tensor.h"

namespace tailseg {

Tensor add(Context& ctx, const Tensor& a, const Tensor& b);          // a + b
void add_in_place(Context& ctx, const Tensor& to, const Tensor& x);  // to += x
Tensor multiply(Context& ctx, const Tensor& a, const Tensor& b);     // a * b
Tensor scale(Context& ctx, const Tensor& a, double alpha);           // alpha * a
Tensor cast(Context& ctx, const Tensor& a, DType dtype);             // floating types; itself when equal
void cast_into(Context& ctx, const Tensor& from, const Tensor& to);  // the same into existing memory of any dtype
Tensor sum_all(Context& ctx, const Tensor& a);                       // [1], fixed order of addition

}  // namespace tailseg
