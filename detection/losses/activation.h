// The choice of activation that the losses with one probability a class have in common: sigmoid, or Gumbel in its place
// (METHODS 1.12; GOL, ECCV 2022, section 3).
#pragma once

#include <algorithm>

#include "detection/losses/class_loss.h"

namespace tailseg {

// Paper and code: the paper's gradient of -log eta is -e^-z; the released code clamps z to [-4, 10] in training and
// computes in probability space, which collapses that gradient below z = -3.3. "collapsed" is what was published.
struct ActivationOptions {
  std::string kind = "sigmoid";
  std::string gradient = "collapsed";
  double clamp_low = -4, clamp_high = 10;

  bool is_gumbel() const { return kind == "gumbel"; }
  // Gumbel begins at -2, where eta = 6.2e-4 (METHODS 1.12), or at the clamp next to it; a sigmoid as its loss says.
  double first_bias(double sigmoid) const { return is_gumbel() ? std::clamp(-2.0, clamp_low, clamp_high) : sigmoid; }
  std::optional<LogitRange> trained_logits() const;
  std::vector<LossKnob> gumbel_knobs();
  std::vector<LossKnob> knobs();  // with the choice between the two
};

// logits [R, columns] -> [R, classes] probabilities of the first `classes` columns; the Gumbel's without clamps.
Tensor activation_scores(Context& ctx, const Tensor& logits, int64_t classes, bool gumbel);

}  // namespace tailseg
