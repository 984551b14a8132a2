#pragma once

#include "autograd/variable.h"

namespace tailseg {

// y = relu(x w^T + b). x [rows, in], w [out, in], b [out] or undefined -> [rows, out].
Variable linear(Context& ctx, const Variable& x, const Variable& w, const Variable& b, bool relu = false);

}  // namespace tailseg
