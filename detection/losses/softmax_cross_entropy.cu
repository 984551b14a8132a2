#include "detection/losses/softmax_cross_entropy.h"

#include "detection/losses/class_rows_op.h"
#include "detection/losses/softmax_cross_entropy_body.h"
#include "detection/losses/softmax_scores.h"

namespace tailseg {
namespace {

class SoftmaxLoss : public ClassLoss {
 public:
  SoftmaxLoss(const Scope& scope, const SoftmaxOptions& options, int64_t classes)
      : ClassLoss(scope, options, classes, classes + (options.objectness ? 2 : 1)), objectness_(options.objectness) {}

 protected:
  RowLoss compute(Context& ctx, const LossInput& input) override {
    return objectness_ ? softmax_objectness_cross_entropy(ctx, input.logits, input.labels, input.normaliser)
                       : softmax_cross_entropy(ctx, input.logits, input.labels, input.normaliser);
  }
  Tensor activate(Context& ctx, const Tensor& logits) const override {
    return objectness_ ? softmax_objectness_scores(ctx, logits) : softmax_scores(ctx, logits);
  }

 private:
  bool objectness_;
};

}  // namespace

RowLoss softmax_cross_entropy(Context& ctx, const Variable& logits, const Tensor& labels, const Tensor& normaliser) {
  const Tensor& z = logits.value();
  check_shape("softmax_cross_entropy: logits", z, {-1, -1});
  check_shape("softmax_cross_entropy: labels", labels, {z.size(0)});
  return run_class_rows(
      ctx, "softmax_cross_entropy", {logits, labels, {}, normaliser}, z.size(1) - 1,
      []<class Scalar>(const ClassRows<Scalar>& rows) { return SoftmaxCrossEntropyRow<Scalar>{rows}; });
}

RowLoss softmax_objectness_cross_entropy(Context& ctx, const Variable& logits, const Tensor& labels,
                                         const Tensor& normaliser) {
  const Tensor& z = logits.value();
  check_shape("softmax_objectness_cross_entropy: logits", z, {-1, -1});
  check_shape("softmax_objectness_cross_entropy: labels", labels, {z.size(0)});
  TS_CHECK(z.size(1) >= 3, "softmax_objectness_cross_entropy: logits ", z.shape(), " have no class beside the branch");
  return run_class_rows(ctx, "softmax_objectness_cross_entropy", {logits, labels, {}, normaliser}, z.size(1) - 2,
                        []<class Scalar>(const ClassRows<Scalar>& rows) { return SoftmaxObjectnessRow<Scalar>{rows}; });
}

std::vector<LossKnob> SoftmaxOptions::own_knobs() {
  return {{"objectness", &objectness, "two more logits tell foreground from background, in place of its class"}};
}

std::shared_ptr<ClassLoss> SoftmaxOptions::make(const Scope& scope, int64_t classes,
                                                const ClassStatistics& statistics) const {
  check_statistics(name(), statistics, classes);
  return std::make_shared<SoftmaxLoss>(scope, *this, classes);
}

}  // namespace tailseg
