#pragma once

#include "detection/losses/activation.h"

namespace tailseg {

// The loss "gumbel": binary cross-entropy with eta(z) = exp(-e^-z) in place of the sigmoid (METHODS 1.12; Gumbel
// Optimized Loss, ECCV 2022, equations 2 and 3).
//   loss = (sum over used rows r and columns j of e^-z_rj where j = y_r, else -log(1 - exp(-e^-z_rj))) / N
// logits [R, C + 1], the background its own last column; N = max(used rows, 1). Scores eta(z), the background's left
// out, no objectness. No state but the one below. The kernel is BinaryClassRow (sigmoid_cross_entropy_body.h) with
// GumbelLink (activation_body.h); gumbel_body.h has the class-relative form alone.
// frequent "normal" is the released code's class-relative activation, which the paper does not have: classes of more
// than frequent_above training images take Phi(z), the Gaussian's distribution, z clamped to [-5, 5] in training, in
// the place of eta(z); the other classes and the background keep eta. It was run with loss_ceiling 25 and the bias -3
// (whose loss of 20.1 a row is above the ceiling of 20).
// State then: normal [C], 1 for those classes; it comes from the training set or from the checkpoint.
// Paper and code: the released code clamps z to [-4, 10], cuts the whole loss at loss_ceiling (no gradient above), and
// collapses the positive gradient below z = -3.3. All three are the defaults; gradient "exact" is the paper's.
// init "auto": all weights 0.001, bias -2. A bias of 0 begins at 0.46 a class, above the ceiling from 42 classes on.
struct GumbelOptions : LossOptionsOf<GumbelOptions> {
  ActivationOptions activation;
  std::string frequent = "gumbel";
  int64_t frequent_above = 100;
  double loss_ceiling = 20;  // 0: none
  GumbelOptions();

  std::string name() const override { return "gumbel"; }
  std::shared_ptr<ClassLoss> make(const Scope& scope, int64_t classes,
                                  const ClassStatistics& statistics) const override;
  std::optional<LogitRange> trained_logits() const override;

 protected:
  std::vector<LossKnob> own_knobs() override;
  std::optional<LastLayer> automatic() const override;
};

}  // namespace tailseg
