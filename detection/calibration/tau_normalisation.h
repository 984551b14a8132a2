// Tau-normalisation (Kang et al., "Decoupling representation and classifier", ICLR 2020; METHODS 4.4): classifiers
// trained on a long tail have longer weight vectors for frequent classes, which is undone without any training:
//
//   w~_j = w_j / |w_j|^tau        tau 0: as it was, 1: all of length 1
//
// The paper leaves the bias out ("negligible"). Rows of the background and of an objectness branch are rows like
// others.
#pragma once

#include "tensor/tensor.h"

namespace tailseg {

// w [W, F] float32 or float64 -> [W, F]. A row of zeros stays one. Throws Error unless 0 <= tau <= 10.
Tensor tau_normalised(Context& ctx, const Tensor& w, double tau);

}  // namespace tailseg
