#pragma once

#include "detection/losses/class_loss.h"

namespace tailseg {

// The loss "sigmoid": binary cross-entropy of every class on its own (METHODS 1.2).
//   loss = (sum over used rows r and columns j of -log sigmoid(z_rj) where j = y_r, else -log(1 - sigmoid(z_rj))) / N
// N = max(used rows, 1), background included; not times the columns. No state.
// background "column" (mmdetection, GOL's baseline): logits [R, C + 1], the background its own last column.
// background "none" (EQL, DropLoss, detectron2): logits [R, C], a background row has no positive column.
// Paper and code: with its column mmdetection scores by a softmax over C + 1, although it trained sigmoids, and GOL's
// published "sigmoid" baseline has that; scores "sigmoid" is what the paper means. Without the column: sigmoid.
struct SigmoidOptions : LossOptionsOf<SigmoidOptions> {
  std::string background = "column", scores = "softmax";
  SigmoidOptions();  // Normal(0, 0.01), bias -log((1 - p) / p) for p = 0.001

  std::string name() const override { return "sigmoid"; }
  std::shared_ptr<ClassLoss> make(const Scope& scope, int64_t classes,
                                  const ClassStatistics& statistics) const override;

 protected:
  std::vector<LossKnob> own_knobs() override;
};

}  // namespace tailseg
