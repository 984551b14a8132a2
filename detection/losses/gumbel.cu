#include "detection/losses/gumbel.h"

#include <algorithm>

#include "detection/losses/activation_op.h"
#include "detection/losses/class_constants.h"
#include "detection/losses/gumbel_body.h"
#include "detection/losses/sigmoid_cross_entropy_body.h"

namespace tailseg {
namespace {

constexpr double kNormalLimit = 5;  // of the Gaussian's logits in training, as published

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

// The same with the Gaussian for frequent classes.
class MixedLoss : public ClassLoss {
 public:
  MixedLoss(const Scope& scope, const GumbelOptions& options, int64_t classes, const ClassStatistics& statistics)
      : ClassLoss(scope, options, classes, classes + 1),
        activation_(options.activation),
        ceiling_(options.loss_ceiling),
        normal_(scope.store().add_buffer(scope.full("normal"), {classes}, 0)) {
    if (statistics.images.empty()) {
      cannot_train(problem_with(statistics.images, "images"));
      return;
    }
    for (const int64_t images : statistics.images) expected_.push_back(images > options.frequent_above ? 1 : 0);
    Context& ctx = scope.store().context();
    normal_.copy_from(ctx, class_tensor(ctx, normal_.dtype(), expected_));
  }

 protected:
  void check_state(Context& ctx) const override {
    const Tensor host = normal_.to_host(ctx);
    dispatch_full(host.dtype(), "gumbel's frequent classes", [&]<class Real>(Real) {
      for (size_t c = 0; c < expected_.size(); ++c) {
        TS_CHECK(static_cast<double>(host.data<Real>()[c]) == expected_[c], "loss gumbel: class ", c, " is ",
                 expected_[c] != 0 ? "frequent" : "not frequent",
                 " in the training set, and was not so in the loaded weights; they come from another data set or "
                 "another frequent_above");
      }
    });
  }
  RowLoss compute(Context& ctx, const LossInput& input) override {
    const auto make = [&]<class Scalar>(const ClassRows<Scalar>& rows) {
      using Real = ComputeType<Scalar>;
      return BinaryClassRow<Scalar, MixedLink<Real>>{rows, link<Real>()};
    };
    return run_class_rows(ctx, "gumbel", input, classes(), make, {.ceiling = ceiling_});
  }
  Tensor activate(Context& ctx, const Tensor& logits) const override {
    const Tensor scores = Tensor::empty(ctx, {logits.size(0), classes()}, loss_dtype(logits.dtype()));
    dispatch_floating(logits.dtype(), "gumbel", [&]<class Scalar>(Scalar) {
      using Real = ComputeType<Scalar>;
      for_each_item(ctx, logits.size(0),
                    LinkScores<Scalar, MixedLink<Real>>{logits.data<Scalar>(), scores.data<Real>(), width(), classes(),
                                                        link<Real>()});
    });
    return scores;
  }

 private:
  template <class Real>
  MixedLink<Real> link() const {
    return {gumbel_link<Real>(activation_), NormalLink<Real>{Real(kNormalLimit)}, normal_.data<Real>(), classes()};
  }

  ActivationOptions activation_;
  double ceiling_;
  Tensor normal_;                 // [C] float32 (float64 in checks)
  std::vector<double> expected_;  // what the training set says
};

}  // namespace

GumbelOptions::GumbelOptions() {
  activation.kind = "gumbel";
  init = "auto";
}

std::optional<LogitRange> GumbelOptions::trained_logits() const {
  LogitRange range = *activation.trained_logits();
  if (frequent == "normal") range.high = std::min(range.high, kNormalLimit);
  return range;
}

std::optional<LastLayer> GumbelOptions::automatic() const {
  return LastLayer{"constant", 0.001, activation.first_bias(0)};
}

std::vector<LossKnob> GumbelOptions::own_knobs() {
  std::vector<LossKnob> knobs = activation.gumbel_knobs();
  knobs.push_back({"frequent",
                   &frequent,
                   "activation of frequent classes: Gumbel's, or the Gaussian's distribution (class-relative)",
                   0,
                   0,
                   {"gumbel", "normal"}});
  knobs.push_back({"frequent_above", &frequent_above, "frequent = normal: training images above which", 0, 1e9});
  knobs.push_back({"loss_ceiling", &loss_ceiling, "a larger loss is cut to this and has no gradient; 0: none", 0, 1e6});
  return knobs;
}

std::shared_ptr<ClassLoss> GumbelOptions::make(const Scope& scope, int64_t classes,
                                               const ClassStatistics& statistics) const {
  check_statistics(name(), statistics, classes);
  if (frequent == "normal") return std::make_shared<MixedLoss>(scope, *this, classes, statistics);
  return std::make_shared<GumbelLoss>(scope, *this, classes);
}

}  // namespace tailseg
