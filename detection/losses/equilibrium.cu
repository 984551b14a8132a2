#include "detection/losses/equilibrium.h"

#include "detection/losses/class_rows_op.h"
#include "detection/losses/equilibrium_body.h"
#include "detection/losses/softmax_scores.h"

namespace tailseg {
namespace {

class EquilibriumLoss : public ClassLoss {
 public:
  EquilibriumLoss(const Scope& scope, const EquilibriumOptions& options, int64_t classes)
      : ClassLoss(scope, options, classes, classes + 1),
        options_(options),
        score_(scope.store().add_buffer(scope.full("score"), {classes + 1}, 0.01)) {}

  bool wants_objects() const override { return true; }
  Tensor running_scores() const override { return score_; }
  std::optional<FeatureMemoryOptions> memory() const override {
    if (options_.memory_depth == 0) return std::nullopt;
    FeatureMemoryOptions wanted;
    wanted.depth = options_.memory_depth;
    wanted.classes_a_step = options_.memory_classes;
    wanted.features_a_class = options_.memory_features;
    return wanted;
  }

 protected:
  RowLoss compute(Context& ctx, const LossInput& input) override {
    const Tensor& z = input.logits.value();
    const DType dtype = loss_dtype(z.dtype());
    const int64_t rows = z.size(0);
    const Tensor scores = Tensor::empty(ctx, {rows}, dtype), logs = Tensor::empty(ctx, {classes() + 1}, dtype);
    dispatch_floating(z.dtype(), "equilibrium", [&]<class Scalar>(Scalar) {
      using Real = ComputeType<Scalar>;
      for_each_item(
          ctx, rows,
          LabelScores<Scalar>{z.data<Scalar>(), input.labels.data<int32_t>(), scores.data<Real>(), classes()});
      for_each_item(
          ctx, classes() + 1,
          RunningScores<Real>{input.labels.data<int32_t>(),
                              input.objects.defined() ? input.objects.data<int32_t>() : nullptr, scores.data<Real>(),
                              score_.data<Real>(), logs.data<Real>(), rows, classes(), Real(options_.momentum)});
    });
    return run_class_rows(ctx, "equilibrium", input, classes(), [&]<class Scalar>(const ClassRows<Scalar>& all) {
      return EquilibriumRow<Scalar>{all, logs.data<ComputeType<Scalar>>()};
    });
  }
  Tensor activate(Context& ctx, const Tensor& logits) const override { return softmax_scores(ctx, logits); }

 private:
  EquilibriumOptions options_;
  Tensor score_;  // [C + 1] float32 (float64 in checks)
};

}  // namespace

std::vector<LossKnob> EquilibriumOptions::own_knobs() {
  return {{"momentum", &momentum, "share of a class's running score that one observation leaves", 0, 1},
          {"memory_depth", &memory_depth, "features kept of each class; 0: no memory", 0, 100000},
          {"memory_classes", &memory_classes, "classes drawn from the memory in a step", 1, 1000},
          {"memory_features", &memory_features, "features of each class drawn", 1, 1000}};
}

std::shared_ptr<ClassLoss> EquilibriumOptions::make(const Scope& scope, int64_t classes,
                                                    const ClassStatistics& statistics) const {
  check_statistics(name(), statistics, classes);
  return std::make_shared<EquilibriumLoss>(scope, *this, classes);
}

}  // namespace tailseg
