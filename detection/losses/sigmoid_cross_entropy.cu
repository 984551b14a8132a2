#include "detection/losses/sigmoid_cross_entropy.h"

#include "detection/losses/activation_op.h"
#include "detection/losses/sigmoid_cross_entropy_body.h"
#include "detection/losses/softmax_scores.h"

namespace tailseg {
namespace {

class SigmoidLoss : public ClassLoss {
 public:
  SigmoidLoss(const Scope& scope, const SigmoidOptions& options, int64_t classes)
      : ClassLoss(scope, options, classes, classes + (options.background == "column" ? 1 : 0)),
        softmax_scores_(options.background == "column" && options.scores == "softmax") {}

 protected:
  RowLoss compute(Context& ctx, const LossInput& input) override {
    return run_class_rows(ctx, "sigmoid", input, classes(), []<class Scalar>(const ClassRows<Scalar>& rows) {
      return BinaryClassRow<Scalar, SigmoidLink>{rows, {}};
    });
  }
  Tensor activate(Context& ctx, const Tensor& logits) const override {
    return softmax_scores_ ? softmax_scores(ctx, logits) : activation_scores(ctx, logits, classes(), false);
  }

 private:
  bool softmax_scores_;
};

}  // namespace

SigmoidOptions::SigmoidOptions() {
  init = "normal";
  init_bias = -6.9068;
}

std::vector<LossKnob> SigmoidOptions::own_knobs() {
  return {
      {"background", &background, "a column of its own, or all classes negative", 0, 0, {"column", "none"}},
      {"scores", &scores, "with a background column: softmax (mmdetection) or sigmoid", 0, 0, {"softmax", "sigmoid"}}};
}

std::shared_ptr<ClassLoss> SigmoidOptions::make(const Scope& scope, int64_t classes,
                                                const ClassStatistics& statistics) const {
  check_statistics(name(), statistics, classes);
  return std::make_shared<SigmoidLoss>(scope, *this, classes);
}

}  // namespace tailseg
