#pragma once

#include "autograd/variable.h"

namespace tailseg {

struct LinearOptions {
  bool relu = false;
  bool full = false;  // of bfloat16 x a float32 result: what a network predicts is not rounded
};

// y = relu(x w^T + b). x [rows, in], w [out, in], b [out] or undefined -> [rows, out]. With bfloat16 x the parameters
// stay float32, as in a convolution.
Variable linear(Context& ctx, const Variable& x, const Variable& w, const Variable& b,
                const LinearOptions& options = {});

}  // namespace tailseg
