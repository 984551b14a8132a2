#pragma once

#include "detection/losses/row_loss.h"

namespace tailseg {

// Binary cross-entropy with logits, as the mask head uses it (METHODS 2.4, 5.3): the mean over the elements of the used
// rows.
//   loss = (sum over used rows and their elements) / (max(number of used rows, 1) * elements of a row)
// logits [R, ...] (float32, bfloat16, float64), targets the same shape, hard or soft, float32 (float64 for float64);
// labels [R] int32: >= 0 used (a mask head's positives), -1 weighs nothing. Without used rows the loss is 0.
// normaliser [1]: divides the sum in place of the default.
RowLoss binary_cross_entropy(Context& ctx, const Variable& logits, const Tensor& targets, const Tensor& labels,
                             const Tensor& normaliser = {});

}  // namespace tailseg
