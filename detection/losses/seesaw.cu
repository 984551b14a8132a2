#include "detection/losses/seesaw.h"

#include <cmath>

#include "detection/losses/class_constants.h"
#include "detection/losses/class_rows_op.h"
#include "detection/losses/seesaw_body.h"
#include "detection/losses/softmax_scores.h"

namespace tailseg {
namespace {

class SeesawLoss : public ClassLoss {
 public:
  SeesawLoss(const Scope& scope, const SeesawOptions& options, int64_t classes, const ClassStatistics& statistics)
      : ClassLoss(scope, options, classes, classes + (options.objectness ? 2 : 1)), options_(options) {
    if (options.counts != "dataset") {
      counts_ = scope.store().add_buffer(scope.full("counts"), {classes + 1}, 0);
    } else if (statistics.instances.empty()) {
      cannot_train(problem_with(statistics.instances, "instances"));
    } else {  // not in the checkpoint: other weights must not bring other counts
      Context& ctx = scope.store().context();
      std::vector<double> counts(statistics.instances.begin(), statistics.instances.end());
      counts.push_back(1);  // of the background: not read
      counts_ = class_tensor(ctx, scope.store().dtype(), counts);
    }
  }

 protected:
  void check_state(Context& ctx) const override {
    if (options_.counts != "checkpoint") return;
    const Tensor host = counts_.to_host(ctx);
    double total = 0;
    dispatch_full(host.dtype(), "seesaw's counts", [&]<class Real>(Real) {
      for (int64_t c = 0; c < classes(); ++c) total += static_cast<double>(host.data<Real>()[c]);
    });
    TS_CHECK(total > 0,
             "loss seesaw: counts = \"checkpoint\", but the weights that were loaded hold no counts; start "
             "from a model that was trained with the loss seesaw");
  }
  RowLoss compute(Context& ctx, const LossInput& input) override {
    const DType dtype = loss_dtype(input.logits.value().dtype());
    const Tensor logs = Tensor::empty(ctx, {classes() + 1}, dtype);
    dispatch_full(dtype, "seesaw", [&]<class Real>(Real) {
      for_each_item(ctx, classes() + 1,
                    CountLabels<Real>{input.labels.data<int32_t>(), counts_.data<Real>(), logs.data<Real>(),
                                      options_.counts == "online" ? input.logits.size(0) : 0});
    });
    Tensor scale;
    if (options_.objectness && options_.divide_by == "positives" && !input.normaliser.defined()) {
      scale = Tensor::empty(ctx, {1}, dtype);
      dispatch_full(dtype, "seesaw", [&]<class Real>(Real) {
        for_each_item(
            ctx, 1,
            PositiveScale<Real>{input.labels.data<int32_t>(), scale.data<Real>(), input.logits.size(0), classes()});
      });
    }
    const auto make = [&]<class Scalar>(const ClassRows<Scalar>& rows) {
      using Real = ComputeType<Scalar>;
      return SeesawRow<Scalar>{rows,
                               options_.mitigation ? logs.data<Real>() : nullptr,
                               Real(options_.p),
                               options_.compensation ? Real(options_.q) : Real(0),
                               Real(std::log(options_.epsilon)),
                               classes() + (options_.objectness ? 0 : 1),
                               classes() + (options_.counts == "dataset" ? 0 : 1),
                               options_.objectness,
                               scale.defined() ? scale.data<Real>() : nullptr};
    };
    return run_class_rows(ctx, "seesaw", input, classes(), make);
  }
  Tensor activate(Context& ctx, const Tensor& logits) const override {
    return options_.objectness ? softmax_objectness_scores(ctx, logits) : softmax_scores(ctx, logits);
  }

 private:
  SeesawOptions options_;
  Tensor counts_;  // [C + 1] float32 (float64 in checks)
};

}  // namespace

SeesawOptions::SeesawOptions() { init = "normal"; }

std::vector<LossKnob> SeesawOptions::own_knobs() {
  return {{"p", &p, "exponent of the mitigation factor", 0, 10},
          {"q", &q, "exponent of the compensation factor; 1 for ImageNet-LT", 0, 10},
          {"epsilon", &epsilon, "smallest score of the label in the compensation; 0: the paper's", 0, 1},
          {"mitigation", &mitigation, "weaken the pull on classes rarer than the label"},
          {"compensation", &compensation, "strengthen the pull on classes that score above the label"},
          {"objectness", &objectness, "two more logits tell foreground from background"},
          {"counts",
           &counts,
           "of samples so far, fixed in the weights that are loaded, or of training instances",
           0,
           0,
           {"online", "checkpoint", "dataset"}},
          {"divide_by",
           &divide_by,
           "class term: by all rows, as in detectors, or by the foreground rows; with objectness",
           0,
           0,
           {"rows", "positives"}}};
}

std::shared_ptr<ClassLoss> SeesawOptions::make(const Scope& scope, int64_t classes,
                                               const ClassStatistics& statistics) const {
  check_statistics(name(), statistics, classes);
  return std::make_shared<SeesawLoss>(scope, *this, classes, statistics);
}

}  // namespace tailseg
