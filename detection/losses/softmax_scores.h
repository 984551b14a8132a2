#pragma once

#include "tensor/tensor.h"

namespace tailseg {

// logits [R, C + 1], background last -> probabilities [R, C] in float32 (float64 for float64 logits), background
// dropped (METHODS 1.1).
Tensor softmax_scores(Context& ctx, const Tensor& logits);

}  // namespace tailseg
