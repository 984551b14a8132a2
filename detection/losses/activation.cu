#include "detection/losses/activation.h"

#include "detection/losses/activation_op.h"

namespace tailseg {

std::optional<LogitRange> ActivationOptions::trained_logits() const {
  if (!is_gumbel()) return std::nullopt;
  return LogitRange{clamp_low, clamp_high};
}

std::vector<LossKnob> ActivationOptions::gumbel_knobs() {
  return {
      {"gradient", &gradient, "Gumbel: as published, collapsed below z = -3.3, or exact", 0, 0, {"collapsed", "exact"}},
      {"clamp_low", &clamp_low, "Gumbel: smallest logit in training", -50, 0},
      {"clamp_high", &clamp_high, "Gumbel: largest logit in training", 0, 50}};
}

std::vector<LossKnob> ActivationOptions::knobs() {
  std::vector<LossKnob> all = gumbel_knobs();
  all.insert(all.begin(), {"activation", &kind, "sigmoid, or Gumbel in its place", 0, 0, {"sigmoid", "gumbel"}});
  return all;
}

Tensor activation_scores(Context& ctx, const Tensor& logits, int64_t classes, bool gumbel) {
  Tensor scores;
  dispatch_floating(logits.dtype(), "activation_scores", [&]<class Scalar>(Scalar) {
    using Real = ComputeType<Scalar>;
    scores = Tensor::empty(ctx, {logits.size(0), classes}, dtype_of<Real>());
    const auto run = [&]<class Link>(const Link& link) {
      for_each_item(
          ctx, logits.size(0),
          LinkScores<Scalar, Link>{logits.data<Scalar>(), scores.data<Real>(), logits.size(1), classes, link});
    };
    if (gumbel)
      run(GumbelLink<Real>{});
    else
      run(SigmoidLink{});
  });
  return scores;
}

}  // namespace tailseg
