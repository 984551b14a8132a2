#include "detection/losses/drop_loss.h"

#include "detection/losses/activation_op.h"
#include "detection/losses/drop_loss_body.h"
#include "detection/losses/tail_classes.h"

namespace tailseg {
namespace {

class DropLoss : public ClassLoss {
 public:
  DropLoss(const Scope& scope, const DropLossOptions& options, int64_t classes, const ClassStatistics& statistics)
      : ClassLoss(scope, options, classes, classes),
        activation_(options.activation),
        tail_(statistics, options.lambda) {
    cannot_train(tail_.problem);
  }
  int64_t draws_per_row() const override { return classes(); }

 protected:
  RowLoss compute(Context& ctx, const LossInput& input) override {
    const DType dtype = loss_dtype(input.logits.value().dtype());
    const Tensor tail = tail_.is_tail.on(ctx, dtype), share = Tensor::empty(ctx, {1}, dtype);
    dispatch_full(dtype, "drop loss", [&]<class Real>(Real) {
      for_each_item(ctx, 1,
                    TailShare<Real>{input.labels.data<int32_t>(), tail.data<Real>(), share.data<Real>(),
                                    input.logits.size(0), classes()});
    });
    const auto make = [&]<class Scalar, class Link>(const ClassRows<Scalar>& rows, const Link& link) {
      using Real = ComputeType<Scalar>;
      return DropLossRow<Scalar, Link>{rows, tail.data<Real>(), share.data<Real>(), input.draws.data<float>(), link};
    };
    return run_binary_rows(ctx, "drop", input, classes(), activation_, make);
  }
  Tensor activate(Context& ctx, const Tensor& logits) const override {
    return activation_scores(ctx, logits, classes(), activation_.is_gumbel());
  }

 private:
  ActivationOptions activation_;
  TailClasses tail_;
};

}  // namespace

GolOptions::GolOptions() {
  lambda = 1.1e-3;
  activation.kind = "gumbel";
}

std::optional<LastLayer> DropLossOptions::automatic() const {
  return LastLayer{"normal", 0.01, activation.first_bias(-6.9068)};
}

std::optional<LastLayer> GolOptions::automatic() const {
  if (!activation.is_gumbel()) return DropLossOptions::automatic();
  return LastLayer{"constant", 0.001, activation.first_bias(0)};
}

std::vector<LossKnob> DropLossOptions::own_knobs() {
  std::vector<LossKnob> knobs = activation.knobs();
  knobs.insert(knobs.begin(),
               {"lambda", &lambda, "tail: classes in a smaller share of the images; LVIS v0.5 1.77e-3", 0, 1});
  return knobs;
}

std::shared_ptr<ClassLoss> DropLossOptions::make(const Scope& scope, int64_t classes,
                                                 const ClassStatistics& statistics) const {
  check_statistics(name(), statistics, classes);
  return std::make_shared<DropLoss>(scope, *this, classes, statistics);
}

}  // namespace tailseg
