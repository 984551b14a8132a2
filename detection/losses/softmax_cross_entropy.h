#pragma once

#include "detection/losses/row_loss.h"

namespace tailseg {

// Softmax cross-entropy over C + 1 classes, background last (METHODS 1.1):
//   loss = (sum over used rows of -log softmax(z)_y) / normaliser
// logits [R, C + 1] (float32, bfloat16, float64), labels [R] int32: 0..C-1, background C, -1 unused (weighs nothing).
// normaliser [1]: undefined means max(number of used rows, 1), foreground and background alike: mmdet's avg_factor and,
// without unused rows, the mean of detectron2 and torchvision (METHODS 1, 5.3 "cls loss"). A label beyond the columns
// makes the loss NaN. RowLoss::counts: used rows, and how many of them have their label's logit on top.
RowLoss softmax_cross_entropy(Context& ctx, const Variable& logits, const Tensor& labels,
                              const Tensor& normaliser = {});

}  // namespace tailseg
