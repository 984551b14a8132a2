#pragma once

#include "detection/losses/row_loss.h"

namespace tailseg {

struct BoxLossOptions {
  int64_t classes = 80;  // labels in [0, classes) are foreground
  double beta = 0;       // METHODS 5.3 "box loss": 0 (L1; mmdet, detectron2), 1/9 (torchvision), 1 (mmdet's cascade)
};

// The box head's regression loss (METHODS 2.4 "reg loss", 5.3 "box loss"): smooth L1 over foreground RoIs only, divided
// by the number of all sampled RoIs, background included.
//   loss = (sum over foreground rows and 4 offsets of smooth_l1(delta - target)) / max(number of labels >= 0, 1)
// deltas [R, 4 * classes] (class-wise: the four columns of the row's label count) or [R, 4] (class-agnostic, or already
// picked: selective_predictor.h); float32, bfloat16 or float64. targets [R, 4] float32 (float64 for float64), read for
// foreground rows only. labels [R] int32: `classes` or more is background, -1 unused.
// normaliser [1]: divides the sum in place of the default.
RowLoss box_loss(Context& ctx, const Variable& deltas, const Tensor& targets, const Tensor& labels,
                 const BoxLossOptions& options, const Tensor& normaliser = {});

}  // namespace tailseg
