#pragma once

#include "detection/losses/class_loss.h"

namespace tailseg {

// The loss "equilibrium" (LOCE's equilibrium loss, Feng et al., ICCV 2021, equations 2 to 4; METHODS 1.14): softmax
// cross-entropy in which class j counts as much as it scores so far. Logits [R, C + 1], background last:
//   loss = (sum over used rows of -log(s_y e^z_y / sum_k s_k e^z_k)) / N,   N = max(used rows, 1)
// s_j, the running mean score: a batch gives class j one observation for each object of the class, the mean of
// softmax(z)_j over the object's rows; with m of them and mean o,
//   s_j <- a^m s_j + (1 - a^m) o,   a = 0.9
// before the loss, which uses the new s as a constant (METHODS 11.2). The background's stays at 0.01.
// Computed as cross-entropy on z + log s, which the released code's float32 form is not: it overflows when the label's
// logit is 100 below the largest. Scores: the plain softmax. State: score [C + 1], from 0.01.
// In the box head each step adds rows from a memory of features (feature_memory.h), to this loss and to that of the
// boxes; those of one class are one object. The step's own features are kept first, then rows are drawn, with the
// scores before the step, as in the released code. memory_depth = 0 does without. Paper and code: the paper trains by
// softmax first, fills the memory in one pass over the training set, and then trains the heads alone by this loss for 6
// epochs. Neither that pass nor the second stage is here: one stage. So a class may have no features yet: it is not
// drawn, where the code draws it and takes no row. Of a step with more features of a class than the memory holds the
// newest stay, in the code the first.
struct EquilibriumOptions : LossOptionsOf<EquilibriumOptions> {
  double momentum = 0.9;  // a
  int64_t memory_depth = 80, memory_classes = 8, memory_features = 4;

  std::string name() const override { return "equilibrium"; }
  std::shared_ptr<ClassLoss> make(const Scope& scope, int64_t classes,
                                  const ClassStatistics& statistics) const override;

 protected:
  std::vector<LossKnob> own_knobs() override;
};

}  // namespace tailseg
