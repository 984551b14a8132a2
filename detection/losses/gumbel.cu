#include "detection/losses/gumbel.h"

#include "detection/losses/activation_op.h"
#include "detection/losses/sigmoid_cross_entropy_body.h"

namespace tailseg {
namespace {

class GumbelLoss : public ClassLoss {
 public:
  GumbelLoss(const Scope& scope, const GumbelOptions& options, int64_t classes)
      : ClassLoss(scope, options, classes, classes + 1),
        activation_(options.activation),
        ceiling_(options.loss_ceiling) {}

 protected:
  RowLoss compute(Context& ctx, const LossInput& input) override {
    const auto make = []<class Scalar, class Link>(const ClassRows<Scalar>& rows, const Link& link) {
      return BinaryClassRow<Scalar, Link>{rows, link};
    };
    return run_binary_rows(ctx, "gumbel", input, classes(), activation_, make, {.ceiling = ceiling_});
  }
  Tensor activate(Context& ctx, const Tensor& logits) const override {
    return activation_scores(ctx, logits, classes(), true);
  }

 private:
  ActivationOptions activation_;
  double ceiling_;
};

}  // namespace

GumbelOptions::GumbelOptions() {
  activation.kind = "gumbel";
  init = "constant";
  init_scale = 0.001;
  init_bias = -2;
}

std::vector<LossKnob> GumbelOptions::own_knobs() {
  std::vector<LossKnob> knobs = activation.gumbel_knobs();
  knobs.push_back({"loss_ceiling", &loss_ceiling, "a larger loss is cut to this and has no gradient; 0: none", 0, 1e6});
  return knobs;
}

std::shared_ptr<ClassLoss> GumbelOptions::make(const Scope& scope, int64_t classes,
                                               const ClassStatistics& statistics) const {
  check_statistics(name(), statistics, classes);
  return std::make_shared<GumbelLoss>(scope, *this, classes);
}

}  // namespace tailseg
