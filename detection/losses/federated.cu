#include "detection/losses/federated.h"

#include <cmath>

#include "detection/losses/activation_op.h"
#include "detection/losses/class_constants.h"
#include "detection/losses/federated_body.h"
#include "tensor/sort.h"

namespace tailseg {
namespace {

class FederatedLoss : public ClassLoss {
 public:
  FederatedLoss(const Scope& scope, const FederatedOptions& options, int64_t classes, const ClassStatistics& statistics)
      : ClassLoss(scope, options, classes, classes + 1), options_(options) {
    if (statistics.images.empty()) cannot_train(problem_with(statistics.images, "images"));
    std::vector<double> weights;
    for (const int64_t images : statistics.images) {
      weights.push_back(images > 0 ? std::pow(static_cast<double>(images), options.power) : 0);
    }
    weights_ = ClassConstants(weights);
  }
  int64_t draws_once() const override { return classes(); }

 protected:
  RowLoss compute(Context& ctx, const LossInput& input) override {
    const DType dtype = loss_dtype(input.logits.value().dtype());
    const Tensor chosen = choose(ctx, input, dtype);
    const auto make = [&]<class Scalar, class Link>(const ClassRows<Scalar>& rows, const Link& link) {
      return FederatedRow<Scalar, Link>{rows, chosen.data<ComputeType<Scalar>>(), link};
    };
    return run_binary_rows(ctx, "federated", input, classes(), options_.activation, make);
  }
  Tensor activate(Context& ctx, const Tensor& logits) const override {
    return activation_scores(ctx, logits, classes(), options_.activation.is_gumbel());
  }

 private:
  Tensor choose(Context& ctx, const LossInput& input, DType dtype) {
    const Tensor weights = weights_.on(ctx, dtype), keys = Tensor::empty(ctx, {1, classes()}, dtype);
    const Tensor chosen = Tensor::empty(ctx, {classes() + 1}, dtype);
    dispatch_full(dtype, "federated", [&]<class Real>(Real) {
      for_each_item(ctx, classes() + 1,
                    FederatedKeys<Real>{input.labels.data<int32_t>(), input.draws.data<float>(), weights.data<Real>(),
                                        chosen.data<Real>(), keys.data<Real>(), input.logits.size(0), classes()});
      const RankedRows ranked = topk(ctx, keys, options_.sampled_classes);
      for_each_item(ctx, 1,
                    FederatedChoice<Real>{ranked.indices.data<int32_t>(), ranked.values.data<Real>(),
                                          chosen.data<Real>(), options_.sampled_classes, classes()});
    });
    return chosen;
  }

  FederatedOptions options_;
  ClassConstants weights_;
};

}  // namespace

std::optional<LastLayer> FederatedOptions::automatic() const {
  return LastLayer{"normal", 0.01, activation.first_bias(0)};
}

std::vector<LossKnob> FederatedOptions::own_knobs() {
  std::vector<LossKnob> knobs = activation.knobs();
  knobs.insert(knobs.begin(),
               {{"sampled_classes", &sampled_classes, "labels of the batch and drawn ones together", 1, 100000},
                {"power", &power, "classes are drawn in proportion to images^power", 0, 4}});
  return knobs;
}

std::shared_ptr<ClassLoss> FederatedOptions::make(const Scope& scope, int64_t classes,
                                                  const ClassStatistics& statistics) const {
  check_statistics(name(), statistics, classes);
  return std::make_shared<FederatedLoss>(scope, *this, classes, statistics);
}

}  // namespace tailseg
