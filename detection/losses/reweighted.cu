#include "detection/losses/reweighted.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "detection/losses/class_constants.h"
#include "detection/losses/class_rows_op.h"
#include "detection/losses/reweighted_body.h"
#include "detection/losses/softmax_scores.h"

namespace tailseg {
namespace {

class ReweightedLoss : public ClassLoss {
 public:
  ReweightedLoss(const Scope& scope, const ReweightedOptions& options, int64_t classes,
                 const ClassStatistics& statistics)
      : ClassLoss(scope, options, classes, classes + 1),
        weighted_mean_(options.divide_by == "weights" ||
                       (options.divide_by == "published" && options.weights == "balanced")) {
    const std::string problem = problem_with(statistics.instances, "instances");
    cannot_train(problem);
    if (problem.empty()) weights_ = ClassConstants(class_weights(options, statistics.instances));
  }

 protected:
  RowLoss compute(Context& ctx, const LossInput& input) override {
    const DType dtype = loss_dtype(input.logits.value().dtype());
    const Tensor row_weights = Tensor::empty(ctx, {input.logits.size(0)}, dtype), weights = weights_.on(ctx, dtype);
    const auto make = [&]<class Scalar>(const ClassRows<Scalar>& rows) {
      using Real = ComputeType<Scalar>;
      return ReweightedRow<Scalar>{rows, weights.data<Real>(), row_weights.data<Real>()};
    };
    return run_class_rows(ctx, "reweighted", input, classes(), make,
                          {.weights = weighted_mean_ ? row_weights : Tensor()});
  }
  Tensor activate(Context& ctx, const Tensor& logits) const override { return softmax_scores(ctx, logits); }

 private:
  bool weighted_mean_;
  ClassConstants weights_;
};

double mean_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

}  // namespace

std::vector<double> class_weights(const ReweightedOptions& options, const std::vector<int64_t>& instances) {
  std::vector<double> n(instances.begin(), instances.end());
  const bool with_background = options.weights == "background";
  if (with_background) n.push_back(3 * std::accumulate(n.begin(), n.end(), 0.0));
  const double beta = options.beta > 0 ? options.beta : options.weights == "balanced" ? 0.9999 : 0.999;
  std::vector<double> w;
  for (const double count : n) {
    const bool inverse = options.weights == "inverse" || options.weights == "mean";
    w.push_back(inverse ? 1 / count : (1 - beta) / -std::expm1(count * std::log(beta)));  // 1 - beta^n
  }
  const double unit = options.weights == "inverse" ? 1 / options.reference : mean_of(w);
  for (double& x : w) {
    x /= unit;
    if (options.weights == "inverse") x = std::clamp(x, 0.1, 10.0);
    if (options.weights == "mean" || options.weights == "effective") x = std::clamp(x, 0.1, 5.0);
  }
  if (!with_background) w.push_back(options.background_weight);
  return w;
}

std::vector<LossKnob> ReweightedOptions::own_knobs() {
  return {{"weights",
           &weights,
           "which published weights",
           0,
           0,
           {"inverse", "mean", "effective", "background", "balanced"}},
          {"divide_by",
           &divide_by,
           "rows, the sum of their weights, or what was published",
           0,
           0,
           {"published", "rows", "weights"}},
          {"reference", &reference, "weights = inverse: the count that weighs 1", 1e-3, 1e9},
          {"background_weight", &background_weight, "unless weights = background", 0, 1000},
          {"beta", &beta, "of the effective number; 0: the variant's own", 0, 0.99999999}};
}

std::shared_ptr<ClassLoss> ReweightedOptions::make(const Scope& scope, int64_t classes,
                                                   const ClassStatistics& statistics) const {
  check_statistics(name(), statistics, classes);
  return std::make_shared<ReweightedLoss>(scope, *this, classes, statistics);
}

}  // namespace tailseg
