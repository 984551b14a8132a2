#pragma once

#include "detection/losses/class_loss.h"

namespace tailseg {

// Softmax cross-entropy over C + 1 classes, background last (METHODS 1.1):
//   loss = (sum over used rows of -log softmax(z)_y) / normaliser
// logits [R, C + 1] (float32, bfloat16, float64), labels [R] int32: 0..C-1, background C, -1 unused (weighs nothing).
// normaliser [1]: undefined means max(number of used rows, 1), foreground and background alike: mmdet's avg_factor and,
// without unused rows, the mean of detectron2 and torchvision (METHODS 1, 5.3 "cls loss"). A label beyond the columns
// makes the loss NaN. RowLoss::counts: used rows, and how many of them have their label's logit on top.
RowLoss softmax_cross_entropy(Context& ctx, const Variable& logits, const Tensor& labels,
                              const Tensor& normaliser = {});

// With the objectness branch in place of the background class (METHODS 2.3; Wang et al. 2021, section 3.3): logits
// [R, C + 2], the last two foreground and background;
//   loss = (sum over foreground rows of -log softmax_C(z)_y + sum over used rows of branch) / normaliser
//   branch = -log softmax_2(z_C, z_C+1), of foreground or background as the row's label says
RowLoss softmax_objectness_cross_entropy(Context& ctx, const Variable& logits, const Tensor& labels,
                                         const Tensor& normaliser = {});

// The loss "softmax": either of the two. Scores: softmax over C + 1 without the background's, or softmax over C times
// the foreground's share. No state.
struct SoftmaxOptions : LossOptionsOf<SoftmaxOptions> {
  bool objectness = false;

  std::string name() const override { return "softmax"; }
  std::shared_ptr<ClassLoss> make(const Scope& scope, int64_t classes,
                                  const ClassStatistics& statistics) const override;

 protected:
  std::vector<LossKnob> own_knobs() override;
};

}  // namespace tailseg
