#pragma once

#include "detection/losses/activation.h"

namespace tailseg {

// The loss "drop" (DropLoss, Hsieh et al., AAAI 2021; METHODS 1.9), and with Gumbel activation "gol" (Gumbel Optimized
// Loss, Alexandridis et al., ECCV 2022, equation 4; METHODS 1.13). Logits [R, C], a background row has no positive
// column; T_j: tail_classes.h; y_j = [j = label]:
//   loss = (sum over used rows r and columns j of w_rj BCE(z_rj, y_j)) / N,   N = max(used rows, 1)
//   foreground rows   w_rj = 1 - T_j (1 - y_j)                as in EQL
//   background rows   w_rj = 1 - T_j [u_rj > rho]             u: draws [R, C]
//   rho = foreground rows of tail classes / foreground rows   of the batch; 1, so that nothing is dropped, without any
// The weights are constants of the gradient. No state. Scores: the activation.
// Paper and code: GOL's equation 4 writes log(w p), infinite for w = 0; the code multiplies, w log p, and so do we.
// lambda: on LVIS v1 DropLoss 1.0062e-3 (the rare and common classes exactly), GOL 1.1e-3; on v0.5 both 1.77e-3.
// init "auto": Normal(0, 0.01), bias -6.9068; with Gumbel -2.
struct DropLossOptions : LossOptionsOf<DropLossOptions> {
  double lambda = 1.0062e-3;
  ActivationOptions activation;
  DropLossOptions() { init = "auto"; }

  std::string name() const override { return "drop"; }
  std::shared_ptr<ClassLoss> make(const Scope& scope, int64_t classes,
                                  const ClassStatistics& statistics) const override;
  std::optional<LogitRange> trained_logits() const override { return activation.trained_logits(); }

 protected:
  std::vector<LossKnob> own_knobs() override;
  std::optional<LastLayer> automatic() const override;
};

// DropLoss with GOL's settings: Gumbel, lambda 1.1e-3; init "auto": all weights 0.001 and bias -2, with activation
// "sigmoid" as DropLoss. The published results also need test.nms_threshold = 0.3 and the normalised mask predictor
// (METHODS 1.13).
struct GolOptions : DropLossOptions {
  GolOptions();
  std::string name() const override { return "gol"; }
  std::unique_ptr<LossOptions> clone() const override { return std::make_unique<GolOptions>(*this); }

 protected:
  std::optional<LastLayer> automatic() const override;
};

}  // namespace tailseg
