#include "detection/losses/focal.h"

#include <cmath>

#include "detection/losses/activation.h"
#include "detection/losses/class_constants.h"
#include "detection/losses/class_rows_op.h"
#include "detection/losses/focal_body.h"
#include "detection/losses/reweighted.h"
#include "detection/losses/softmax_scores.h"

namespace tailseg {
namespace {

class FocalLoss : public ClassLoss {
 public:
  FocalLoss(const Scope& scope, const FocalOptions& options, int64_t classes, const ClassStatistics& statistics)
      : ClassLoss(scope, options, classes, classes + (options.form == "softmax" ? 1 : 0)),
        softmax_(options.form == "softmax"),
        weighted_(softmax_ && options.class_weights == "balanced"),
        gamma_(options.gamma),
        alpha_(options.alpha) {
    if (!weighted_) return;
    const std::string problem = problem_with(statistics.instances, "instances");
    cannot_train(problem);
    if (!problem.empty()) return;
    ReweightedOptions balanced;
    balanced.weights = "balanced";
    balanced.beta = options.beta;
    weights_ = ClassConstants(class_weights(balanced, statistics.instances));
  }

 protected:
  RowLoss compute(Context& ctx, const LossInput& input) override {
    const auto softmax = [&]<class Scalar>(const ClassRows<Scalar>& rows) {
      using Real = ComputeType<Scalar>;
      const Real* weights = weighted_ ? weights_.on(ctx, dtype_of<Real>()).template data<Real>() : nullptr;
      return SoftmaxFocalRow<Scalar>{rows, Real(gamma_), weights};
    };
    const auto sigmoid = [&]<class Scalar>(const ClassRows<Scalar>& rows) {
      using Real = ComputeType<Scalar>;
      return SigmoidFocalRow<Scalar>{rows, {Real(gamma_), Real(alpha_)}};
    };
    if (softmax_) return run_class_rows(ctx, "focal", input, classes(), softmax);
    return run_class_rows(ctx, "focal", input, classes(), sigmoid);
  }
  Tensor activate(Context& ctx, const Tensor& logits) const override {
    return softmax_ ? softmax_scores(ctx, logits) : activation_scores(ctx, logits, classes(), false);
  }

 private:
  bool softmax_, weighted_;
  double gamma_, alpha_;
  ClassConstants weights_;
};

}  // namespace

std::optional<LastLayer> FocalOptions::automatic() const {
  if (form == "softmax") return LastLayer{};
  return LastLayer{"normal", 0.01, -std::log(99.0)};  // sigmoid = 0.01
}

std::vector<LossKnob> FocalOptions::own_knobs() {
  return {{"form", &form, "over one softmax, or over a sigmoid a class", 0, 0, {"softmax", "sigmoid"}},
          {"gamma", &gamma, "exponent of 1 - p; 0: cross-entropy", 0, 10},
          {"alpha", &alpha, "sigmoid form: weight of positives, the rest of negatives", 0, 1},
          {"class_weights",
           &class_weights,
           "softmax form: weigh the cross-entropy before the modulation, as the class-balanced loss",
           0,
           0,
           {"none", "balanced"}},
          {"beta", &beta, "of those weights", 1e-6, 0.99999999}};
}

std::shared_ptr<ClassLoss> FocalOptions::make(const Scope& scope, int64_t classes,
                                              const ClassStatistics& statistics) const {
  check_statistics(name(), statistics, classes);
  return std::make_shared<FocalLoss>(scope, *this, classes, statistics);
}

}  // namespace tailseg
