#pragma once

#include "detection/losses/class_loss.h"

namespace tailseg {

// The loss "margin": softmax cross-entropy in which the label's own logit must win by a margin that is larger for rare
// classes (METHODS 1.5). Logits [R, C + 1], background last; n_j training instances, D_j the margin, a a factor:
//   x_y = a (z_y - D_y),   x_c = a z_c for c != y
//   loss = (sum over used rows of w_y (-log softmax(x)_y)) / (sum over used rows of w_y)
// form "simcal" (SimCal's class-aware margin): D_j = K / n_j^(1/4), a = 1. K is not published.
// form "ldam" (Cao et al., NeurIPS 2019): D_j = K n_j^(-1/4) / max_k n_k^(-1/4), so that the rarest class has K = 0.5,
// and a = scale = 30. The logits must be cosines: model.box_head.classifier = "normalized" with normalized.temperature
// = 1, which a configuration is checked for. Unlike LDAM's layer ours has a bias, which begins at 0 and is trained.
// DRW (deferred re-weighting): from step drw_start on w_j = C h(n_j) / sum_k h(n_k), h(n) = (1 - beta) / (1 - beta^n);
// before, and for the background, w = 1, and the sum of weights is the number of used rows.
// Paper and code: the paper writes a mean over rows; LDAM's code divides by the sum of the weights (METHODS 11.1), and
// so do we. State with DRW: steps [1], the steps so far. Scores: softmax(a z) without the background's.
struct MarginOptions : LossOptionsOf<MarginOptions> {
  std::string form = "simcal";
  double largest = 0.5;    // K
  double scale = 30;       // ldam: a
  double background = 0;   // margin of the background
  int64_t drw_start = -1;  // -1: never
  double beta = 0.9999;

  std::string name() const override { return "margin"; }
  std::shared_ptr<ClassLoss> make(const Scope& scope, int64_t classes,
                                  const ClassStatistics& statistics) const override;

 protected:
  std::vector<LossKnob> own_knobs() override;
};

}  // namespace tailseg
