#include "detection/losses/margin.h"

#include <algorithm>
#include <cmath>

#include "detection/losses/class_constants.h"
#include "detection/losses/class_rows_op.h"
#include "detection/losses/margin_body.h"
#include "detection/losses/reweighted.h"
#include "detection/losses/softmax_scores.h"

namespace tailseg {
namespace {

std::vector<double> margins_of(const MarginOptions& options, const std::vector<int64_t>& instances) {
  std::vector<double> margins;
  for (const int64_t n : instances) margins.push_back(std::pow(static_cast<double>(n), -0.25));
  const double unit = options.form == "ldam" ? *std::max_element(margins.begin(), margins.end()) : 1;
  for (double& margin : margins) margin *= options.largest / unit;
  margins.push_back(options.background);
  return margins;
}

class MarginLoss : public ClassLoss {
 public:
  MarginLoss(const Scope& scope, const MarginOptions& options, int64_t classes, const ClassStatistics& statistics)
      : ClassLoss(scope, options, classes, classes + 1),
        scale_(options.form == "ldam" ? options.scale : 1),
        start_(static_cast<double>(options.drw_start)) {
    if (options.drw_start >= 0) steps_ = scope.store().add_buffer(scope.full("steps"), {1}, 0);
    const std::string problem = problem_with(statistics.instances, "instances");
    cannot_train(problem);
    if (!problem.empty()) return;
    margins_ = ClassConstants(margins_of(options, statistics.instances));
    ReweightedOptions balanced;
    balanced.weights = "balanced";
    balanced.beta = options.beta;
    weights_ = ClassConstants(class_weights(balanced, statistics.instances));
  }

 protected:
  RowLoss compute(Context& ctx, const LossInput& input) override {
    const DType dtype = loss_dtype(input.logits.value().dtype());
    const Tensor row_weights = Tensor::empty(ctx, {input.logits.size(0)}, dtype);
    const Tensor margins = margins_.on(ctx, dtype), weights = weights_.on(ctx, dtype);
    const auto make = [&]<class Scalar>(const ClassRows<Scalar>& rows) {
      using Real = ComputeType<Scalar>;
      return MarginRow<Scalar>{rows,
                               margins.data<Real>(),
                               weights.data<Real>(),
                               steps_.defined() ? steps_.data<Real>() : nullptr,
                               row_weights.data<Real>(),
                               Real(scale_),
                               Real(start_)};
    };
    const RowLoss out = run_class_rows(ctx, "margin", input, classes(), make, {.weights = row_weights});
    if (steps_.defined()) {
      dispatch_full(dtype, "margin",
                    [&]<class Real>(Real) { for_each_item(ctx, 1, CountStep<Real>{steps_.data<Real>()}); });
    }
    return out;
  }
  Tensor activate(Context& ctx, const Tensor& logits) const override { return softmax_scores(ctx, logits, scale_); }

 private:
  double scale_, start_;
  ClassConstants margins_, weights_;
  Tensor steps_;  // [1], or undefined without DRW
};

}  // namespace

std::vector<LossKnob> MarginOptions::own_knobs() {
  return {{"form", &form, "SimCal's margins, or LDAM's over cosines", 0, 0, {"simcal", "ldam"}},
          {"largest", &largest, "margin of a class with one instance; ldam: of the rarest class", 0, 100},
          {"scale", &scale, "ldam: of the cosines", 0.1, 1000},
          {"background", &background, "margin of the background", 0, 100},
          {"drw_start", &drw_start, "step from which rare classes weigh more; -1: never", -1, 16e6},
          {"beta", &beta, "of those weights", 1e-6, 0.99999999}};
}

std::shared_ptr<ClassLoss> MarginOptions::make(const Scope& scope, int64_t classes,
                                               const ClassStatistics& statistics) const {
  check_statistics(name(), statistics, classes);
  return std::make_shared<MarginLoss>(scope, *this, classes, statistics);
}

}  // namespace tailseg
