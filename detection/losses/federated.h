#pragma once

#include "detection/losses/activation.h"

namespace tailseg {

// The loss "federated" (Zhou et al. 2021, CenterNet2; detectron2; METHODS 1.11): binary cross-entropy over a part of
// the classes, drawn anew for each batch. Logits [R, C + 1], the last unused; a background row has no positive column:
//   loss = (sum over used rows r and classes j in S of BCE(z_rj, [j = y_r])) / N,   N = max(used rows, 1)
//   U = labels of the batch, the background counted as one; S = U and, when |U| < K, K - |U| further classes drawn
//   without replacement with probability proportional to images_j^power.
// So K - 1 foreground classes are used whenever there is background. Draws [C]: the largest log(u_j) / images_j^power
// win, which is that distribution (Efraimidis and Spirakis 2006). A class without images is never drawn.
// activation "gumbel": Gumbel in the sigmoid's place (GOL). Scores: the activation; no objectness. No state.
// init "auto": Normal(0, 0.01), bias 0, detectron2's (CenterNet2-style heads: -4.595); with Gumbel -2.
struct FederatedOptions : LossOptionsOf<FederatedOptions> {
  int64_t sampled_classes = 50;  // K
  double power = 0.5;
  ActivationOptions activation;
  FederatedOptions() { init = "auto"; }

  std::string name() const override { return "federated"; }
  std::shared_ptr<ClassLoss> make(const Scope& scope, int64_t classes,
                                  const ClassStatistics& statistics) const override;
  std::optional<LogitRange> trained_logits() const override { return activation.trained_logits(); }

 protected:
  std::vector<LossKnob> own_knobs() override;
  std::optional<LastLayer> automatic() const override;
};

}  // namespace tailseg
