#pragma once

#include "detection/losses/class_loss.h"

namespace tailseg {

// The loss "bags" (Balanced Group Softmax, Li et al., CVPR 2020, equations 1 to 3; METHODS 1.8): one softmax for each
// group of classes with about as many training instances. With G groups, logits [R, C + 2 + G]:
//   column 0 background, 1 foreground | group 0: "others", its classes in label order | group 1: ... | group G - 1
//   loss = sum over {background against foreground, and every group} of the mean over the group's kept rows of
//          -log softmax_group(z)_target
// Target: the row's class where it is in the group, else "others". Background against foreground keeps every used row.
// A group with m rows of its classes keeps those and, drawn without replacement, int(ratio m) of the other used rows,
// background among them; all of them when there are fewer; m = 0: the group adds nothing.
// Draws [R, G]: of the other rows the largest win. A given normaliser takes the place of the number of used rows, by
// which the means are scaled then. Scores: softmax_group(z)_j times the foreground's share; "others" is left out.
// State: group [C], the group of each class; it comes from the training set or from the checkpoint.
struct BagsOptions : LossOptionsOf<BagsOptions> {
  std::vector<double> boundaries{10, 100, 1000};  // training instances at which the next group begins; G - 1 of them
  double ratio = 8;                               // the paper's beta
  BagsOptions();                                  // Normal(0, 0.01), bias 0

  std::string name() const override { return "bags"; }
  std::shared_ptr<ClassLoss> make(const Scope& scope, int64_t classes,
                                  const ClassStatistics& statistics) const override;

 protected:
  std::vector<LossKnob> own_knobs() override;
};

}  // namespace tailseg
