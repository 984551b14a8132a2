#pragma once

#include "tensor/tensor.h"

namespace tailseg {

// logits [R, C + 1], background last -> probabilities softmax(scale logits) [R, C] in float32 (float64 for float64
// logits), background dropped (METHODS 1.1; with a scale 1.5).
Tensor softmax_scores(Context& ctx, const Tensor& logits, double scale = 1);

// logits [R, C + 2], the last two the objectness branch, foreground then background (METHODS 2.3) -> softmax over the C
// classes times the branch's foreground probability.
Tensor softmax_objectness_scores(Context& ctx, const Tensor& logits);

}  // namespace tailseg
