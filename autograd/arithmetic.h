// The small differentiable functions that hold a network together.
#pragma once

#include "autograd/variable.h"

namespace tailseg {

Variable add(Context& ctx, const Variable& a, const Variable& b);        // equal shapes
Variable scale(Context& ctx, const Variable& a, double alpha);           // alpha * a
Variable scale_gradient(Context& ctx, const Variable& a, double alpha);  // a itself; its gradient times alpha
Variable multiply(Context& ctx, const Variable& a, const Variable& b);   // element by element
Variable sum(Context& ctx, const Variable& a);                           // [1]
Variable reshape(Context& ctx, const Variable& a, const Shape& shape);
Variable concat_rows(Context& ctx, const std::vector<Variable>& parts);            // along the leading axis
Variable slice_rows(Context& ctx, const Variable& a, int64_t begin, int64_t end);  // rows of the leading axis; a view
Variable relu(Context& ctx, const Variable& a);

}  // namespace tailseg
