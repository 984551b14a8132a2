#pragma once

#include "detection/losses/class_loss.h"

namespace tailseg {

// The loss "eql_v2" (Equalization Loss v2, Tan et al., CVPR 2021, equations 5 to 8; METHODS 1.7): binary cross-entropy
// whose weights follow the gradients that each class has received so far. Logits [R, C + 1], the background its own
// last column; y_j = [j = label]:
//   loss = (sum over used rows r and columns j of (q_j y_j + r_j (1 - y_j)) BCE(z_rj, y_j)) / N
//   g_j = G+_j / (G-_j + 1e-10),   f(x) = 1 / (1 + e^(-gamma (x - mu)))
//   r_j = f(g_j),   q_j = 1 + alpha (1 - f(g_j))
// with N = max(used rows, 1), and r = q = 1 for the background. Then G+ and G- grow by the sums over rows of the
// weighted |sigmoid - y|, positives and negatives apart, not divided by N. State: positive, negative [C] from 0, ratio
// [C] (g) from 100. Scores: sigmoid(z_j) (1 - sigmoid(z_background)).
struct EqlV2Options : LossOptionsOf<EqlV2Options> {
  double gamma = 12, mu = 0.8, alpha = 4;
  EqlV2Options();  // Normal(0, 0.01), bias -6.9068

  std::string name() const override { return "eql_v2"; }
  std::shared_ptr<ClassLoss> make(const Scope& scope, int64_t classes,
                                  const ClassStatistics& statistics) const override;

 protected:
  std::vector<LossKnob> own_knobs() override;
};

}  // namespace tailseg
