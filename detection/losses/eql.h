#pragma once

#include "detection/losses/activation.h"

namespace tailseg {

// The loss "eql" (Equalization Loss, Tan et al., CVPR 2020; METHODS 1.6): negatives from other objects do not
// discourage tail classes. T_j: tail_classes.h; y_j = [j = label].
// form "sigmoid" (instance segmentation, equations 3 and 4): logits [R, C], a background row has no positive column;
//   loss = (sum over used rows r and columns j of w_rj BCE(z_rj, y_j)) / N,   w_rj = 1 - E_r T_j (1 - y_j)
// with E_r = 1 for foreground rows, 0 for background. activation "gumbel": Gumbel in the sigmoid's place (GOL).
// form "softmax" (classification, equations 7 and 8): logits [R, C + 1], background last and never tail;
//   loss = (sum over used rows of -log(e^z_y / sum_k w_k e^z_k)) / N,   w_k = 1 - b_rk T_k (1 - y_k)
// with b = 1 where the draw [R, C] is below gamma. N = max(used rows, 1), background included. No state.
// Paper and code: lambda is 1.76e-3 in the paper and 1.77e-3 in the code for LVIS v0.5 (which changes three classes);
// 1.1e-3 is the later repositories' value for v1 and takes in 17 frequent classes. gamma is not published.
// init "auto": Normal(0, 0.01), bias -6.9068; Gumbel -2 (METHODS 1.13), the softmax form 0.
struct EqlOptions : LossOptionsOf<EqlOptions> {
  std::string form = "sigmoid";
  double lambda = 1.1e-3, gamma = 0.9;
  ActivationOptions activation;
  EqlOptions() { init = "auto"; }

  std::string name() const override { return "eql"; }
  std::shared_ptr<ClassLoss> make(const Scope& scope, int64_t classes,
                                  const ClassStatistics& statistics) const override;
  std::optional<LogitRange> trained_logits() const override;

 protected:
  std::vector<LossKnob> own_knobs() override;
  std::optional<LastLayer> automatic() const override;
};

}  // namespace tailseg
