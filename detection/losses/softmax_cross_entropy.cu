#include "detection/losses/softmax_cross_entropy.h"

#include "detection/losses/softmax_cross_entropy_body.h"
#include "detection/losses/softmax_scores.h"
#include "tensor/launch.h"

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
  const RowLossParts parts = row_loss_parts(ctx, z);
  dispatch_floating(z.dtype(), "softmax_cross_entropy", [&]<class Scalar>(Scalar) {
    for_each_item(ctx, z.size(0),
                  SoftmaxCrossEntropyRow<Scalar>{
                      z.data<Scalar>(), labels.data<int32_t>(), parts.gradient.data<Scalar>(),
                      parts.values.data<ComputeType<Scalar>>(), parts.hits.data<int32_t>(), z.size(1)});
  });
  return finish_row_loss(ctx, "softmax_cross_entropy", logits, labels, parts, normaliser);
}

RowLoss softmax_objectness_cross_entropy(Context& ctx, const Variable& logits, const Tensor& labels,
                                         const Tensor& normaliser) {
  const Tensor& z = logits.value();
  check_shape("softmax_objectness_cross_entropy: logits", z, {-1, -1});
  check_shape("softmax_objectness_cross_entropy: labels", labels, {z.size(0)});
  TS_CHECK(z.size(1) >= 3, "softmax_objectness_cross_entropy: logits ", z.shape(), " have no class beside the branch");
  const RowLossParts parts = row_loss_parts(ctx, z);
  dispatch_floating(z.dtype(), "softmax_objectness_cross_entropy", [&]<class Scalar>(Scalar) {
    for_each_item(ctx, z.size(0),
                  SoftmaxObjectnessRow<Scalar>{z.data<Scalar>(), labels.data<int32_t>(), parts.gradient.data<Scalar>(),
                                               parts.values.data<ComputeType<Scalar>>(), parts.hits.data<int32_t>(),
                                               z.size(1) - 2});
  });
  return finish_row_loss(ctx, "softmax_objectness_cross_entropy", logits, labels, parts, normaliser);
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
