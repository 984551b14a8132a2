// How hard each class is pushed up and down during training: EQL v2's figure 1 (Tan et al., CVPR 2021) for any loss.
//
// For logits [R, W] with labels y and gradient g = d total loss / d logits, each step adds to the state
//   positive_c = sum of |g_rc| over rows with y_r = c,   negative_c = sum of |g_rc| over used rows with y_r != c.
// The gradient is taken as it flows back to the classifier: after the loss's normaliser and weight. EQL v2's own
// accumulators (METHODS 1.7) lie inside its loss, before the normaliser; the ratio of the two sums differs from theirs
// only through normalisers that change from step to step.
// State: [2, 2 C] in the parameter store (sums; rounding carried on), so that a resumed run goes on exactly.
#pragma once

#include "nn/parameter.h"

namespace tailseg {

class ClassGradients {
 public:
  // Registers the buffer `scope`.class_gradients. Nothing else of the model changes, random draws included.
  ClassGradients(const Scope& scope, int64_t classes);

  // The same logits; the gradient that comes back through them is added to the state on its way. labels [R] int32:
  // class 0..C-1, background C or above, -1 for an unused row. columns [C] int32: the logit of each class; undefined:
  // logit c is class c.
  Variable watch(Context& ctx, const Variable& logits, const Tensor& labels, const Tensor& columns = {}) const;

  // The same by hand, for a gradient [R, W] in float32, bfloat16 or float64.
  void add(Context& ctx, const Tensor& gradient, const Tensor& labels, const Tensor& columns = {}) const;

  struct Sums {
    std::vector<float> positive, negative;  // [C]
  };
  Sums read(Context& ctx) const;  // waits for the device

 private:
  int64_t classes_;
  Tensor state_;
};

}  // namespace tailseg
