#include "detection/losses/eql.h"

#include "detection/losses/activation_op.h"
#include "detection/losses/eql_body.h"
#include "detection/losses/softmax_scores.h"
#include "detection/losses/tail_classes.h"

namespace tailseg {
namespace {

class EqlLoss : public ClassLoss {
 public:
  EqlLoss(const Scope& scope, const EqlOptions& options, int64_t classes, const ClassStatistics& statistics)
      : ClassLoss(scope, options, classes, classes + (options.form == "softmax" ? 1 : 0)),
        options_(options),
        tail_(statistics, options.lambda) {
    cannot_train(tail_.problem);
  }
  int64_t draws_per_row() const override { return is_softmax() ? classes() : 0; }

 protected:
  RowLoss compute(Context& ctx, const LossInput& input) override {
    const Tensor tail = tail_.is_tail.on(ctx, loss_dtype(input.logits.value().dtype()));
    const auto softmax = [&]<class Scalar>(const ClassRows<Scalar>& rows) {
      return EqlSoftmaxRow<Scalar>{rows, tail.data<ComputeType<Scalar>>(), input.draws.data<float>(),
                                   static_cast<float>(options_.gamma)};
    };
    const auto binary = [&]<class Scalar, class Link>(const ClassRows<Scalar>& rows, const Link& link) {
      return EqlRow<Scalar, Link>{rows, tail.data<ComputeType<Scalar>>(), link};
    };
    if (is_softmax()) return run_class_rows(ctx, "eql", input, classes(), softmax);
    return run_binary_rows(ctx, "eql", input, classes(), options_.activation, binary);
  }
  Tensor activate(Context& ctx, const Tensor& logits) const override {
    return is_softmax() ? softmax_scores(ctx, logits)
                        : activation_scores(ctx, logits, classes(), options_.activation.is_gumbel());
  }

 private:
  bool is_softmax() const { return options_.form == "softmax"; }

  EqlOptions options_;
  TailClasses tail_;
};

}  // namespace

std::optional<LogitRange> EqlOptions::trained_logits() const {
  return form == "softmax" ? std::nullopt : activation.trained_logits();
}

std::optional<LastLayer> EqlOptions::automatic() const {
  return LastLayer{"normal", 0.01, form == "softmax" ? 0 : activation.first_bias(-6.9068)};
}

std::vector<LossKnob> EqlOptions::own_knobs() {
  std::vector<LossKnob> knobs = activation.knobs();
  knobs.insert(knobs.begin(), {{"form", &form, "sigmoid a class, or one softmax", 0, 0, {"sigmoid", "softmax"}},
                               {"lambda", &lambda,
                                "tail: classes in a smaller share of the images; LVIS v0.5 1.77e-3, v1 1.1e-3", 0, 1},
                               {"gamma", &gamma, "softmax form: how often a tail class leaves the denominator", 0, 1}});
  return knobs;
}

std::shared_ptr<ClassLoss> EqlOptions::make(const Scope& scope, int64_t classes,
                                            const ClassStatistics& statistics) const {
  check_statistics(name(), statistics, classes);
  return std::make_shared<EqlLoss>(scope, *this, classes, statistics);
}

}  // namespace tailseg
