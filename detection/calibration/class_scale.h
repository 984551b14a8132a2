// Learnable weight scaling, LWS (Kang et al., "Decoupling representation and classifier", ICLR 2020; METHODS 4.4): the
// classifier stays as it is, and one number for each of its outputs is learned, beginning at 1:
//
//   z'_rc = s_c z_rc,   dz_rc = s_c dz'_rc,   ds_c = sum_r z_rc dz'_rc   (rows in order)
//
// Paper and code: the paper scales the weight vectors; the code scales logits, bias and all, and so do we.
#pragma once

#include "autograd/variable.h"

namespace tailseg {

// logits [R, W] and scale [W] of one dtype -> [R, W].
Variable scale_classes(Context& ctx, const Variable& logits, const Variable& scale);

}  // namespace tailseg
