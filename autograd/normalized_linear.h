// Normalised linear activation, the cosine classifier of Seesaw loss (CVPR 2021, section 3.2; METHODS 2.1):
//
//   x~ = temperature * x / (|x|^power + eps),   w~_j = w_j / (|w_j|^power + eps),   z_j = w~_j . x~ + b_j
//
// eps is added after the norm, the temperature multiplies the input only, and the bias is neither scaled nor
// normalised. Defaults are the published ones.
#pragma once

#include "autograd/variable.h"

namespace tailseg {

struct NormalizedOptions {
  double temperature = 20;
  double power = 1;
  double eps = 1e-6;
};

// scale * x / (|x|^power + eps) for each row of x [.., F], a row being the last axis. Throws Error unless power >= 0
// and eps > 0.
Variable normalize_rows(Context& ctx, const Variable& x, double scale, double power, double eps);

// x [rows, in], w [out, in], b [out] -> z [rows, out], float32 for bfloat16 x.
Variable normalized_linear(Context& ctx, const Variable& x, const Variable& w, const Variable& b,
                           const NormalizedOptions& options);

}  // namespace tailseg
