#pragma once

#include "detection/losses/class_loss.h"

namespace tailseg {

// The loss "focal" (Lin et al. 2017; METHODS 1.3): cross-entropy times (1 - p)^gamma, so that easy rows weigh little.
// form "softmax" (SimCal's FL): logits [R, C + 1], background last, p = softmax(z)_y;
//   loss = (sum over used rows of -(1 - p)^gamma log p) / N
// form "sigmoid" (RetinaNet's equation 5): logits [R, C], no background column; p_j = sigmoid(z_j) where j = y, else
// 1 - sigmoid(z_j), and alpha_j = alpha or 1 - alpha;
//   loss = (sum over used rows and columns of -alpha_j (1 - p_j)^gamma log p_j) / N
// class_weights "balanced" (softmax form; the focal loss of LDAM's code, whose class-balanced rows use it): the weight
// w_y = C h(n_y) / sum_k h(n_k), h(n) = (1 - beta) / (1 - beta^n), n training instances, 1 for the background, goes
// into the cross-entropy before the modulation: CE = -w_y log softmax(z)_y,
//   loss = (sum over used rows of (1 - e^-CE)^gamma CE) / N
// and the denominator stays N, not the sum of weights (METHODS 11.1). That code's gamma is 1.
// N = max(used rows, 1), background included. No state. SimCal's gamma is not published; 2 is the customary value.
// init "auto": softmax form as the head; sigmoid form Normal(0, 0.01), bias -4.595, RetinaNet's prior of 0.01 (4.1).
// Paper and code: RetinaNet divides by the anchors that hold an object; here N counts background rows too, as in every
// loss of the box head (METHODS 10, 1).
struct FocalOptions : LossOptionsOf<FocalOptions> {
  std::string form = "softmax";
  double gamma = 2, alpha = 0.25;  // alpha: sigmoid form only
  std::string class_weights = "none";
  double beta = 0.9999;
  FocalOptions() { init = "auto"; }

  std::string name() const override { return "focal"; }
  std::shared_ptr<ClassLoss> make(const Scope& scope, int64_t classes,
                                  const ClassStatistics& statistics) const override;

 protected:
  std::vector<LossKnob> own_knobs() override;
  std::optional<LastLayer> automatic() const override;
};

}  // namespace tailseg
