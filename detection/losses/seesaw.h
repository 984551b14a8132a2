#pragma once

#include "detection/losses/class_loss.h"

namespace tailseg {

// The loss "seesaw" (Wang et al., CVPR 2021; METHODS 1.10): softmax cross-entropy in which the pull of a sample of
// class y on the logit of class j is scaled by S_yj = M_yj C_yj (equations 4 to 8):
//   mitigation    M_yj = min(1, n_j / n_y)^p               n: samples so far, at least 1
//   compensation  C_yj = max(1, s_j / max(s_y, eps))^q     s = softmax over the C logits, taken as a constant
//   class term    L_cls = -log(e^z_y / (e^z_y + sum_{j != y} S_yj e^z_j))
//   gradient      S_yj e^z_j / (that denominator) - [j = y]
// With objectness (the default): logits [R, C + 2], the last two foreground and background;
//   loss = (sum over foreground rows of L_cls + sum over used rows of -log softmax_2(branch)) / N
// Without: logits [R, C + 1], the background a class like any other, with its own count. counts "dataset" has none for
// it: the background then takes no part in mitigation, M = 1 both ways.
// N = max(used rows, 1), background included. Scores: softmax over C times the branch's foreground, or softmax over
// C + 1. State: counts [C + 1], raised by the labels of a batch before its loss.
// divide_by "positives" (with objectness): the class term is a mean over the foreground rows, as in mmdetection's code
// when it is not told what to divide by (METHODS 11.4); its detectors tell it, N, and so "rows" is the default. A given
// normaliser takes the place of either.
// Paper and code: the paper has no eps; the code's 0.01 keeps compensation off until a class reaches 1 %. The paper
// says "instances"; the code counts sampled RoIs. Defaults are the code's: eps = 0, counts = "dataset" are the paper's.
struct SeesawOptions : LossOptionsOf<SeesawOptions> {
  double p = 0.8, q = 2, epsilon = 0.01;
  bool mitigation = true, compensation = true, objectness = true;
  std::string counts = "online", divide_by = "rows";
  SeesawOptions();  // Normal(0, 0.01), bias 0

  std::string name() const override { return "seesaw"; }
  std::shared_ptr<ClassLoss> make(const Scope& scope, int64_t classes,
                                  const ClassStatistics& statistics) const override;

 protected:
  std::vector<LossKnob> own_knobs() override;
};

}  // namespace tailseg
