#include "detection/losses/eql_v2.h"

#include "detection/losses/class_rows_op.h"
#include "detection/losses/eql_v2_body.h"

namespace tailseg {
namespace {

class EqlV2Loss : public ClassLoss {
 public:
  EqlV2Loss(const Scope& scope, const EqlV2Options& options, int64_t classes)
      : ClassLoss(scope, options, classes, classes + 1),
        options_(options),
        positive_(scope.store().add_buffer(scope.full("positive"), {classes}, 0)),
        negative_(scope.store().add_buffer(scope.full("negative"), {classes}, 0)),
        ratio_(scope.store().add_buffer(scope.full("ratio"), {classes}, 100)) {}

 protected:
  RowLoss compute(Context& ctx, const LossInput& input) override {
    const RowLossParts parts = row_loss_parts(ctx, input.logits.value());
    dispatch_floating(input.logits.value().dtype(), "eql_v2", [&]<class Scalar>(Scalar) {
      run<Scalar>(ctx, class_rows<Scalar>(input, parts, classes()), input.logits.size(0));
    });
    return finish_row_loss(ctx, "eql_v2", input.logits, input.labels, parts, input.normaliser);
  }
  Tensor activate(Context& ctx, const Tensor& logits) const override {
    const Tensor scores = Tensor::empty(ctx, {logits.size(0), classes()}, loss_dtype(logits.dtype()));
    dispatch_floating(logits.dtype(), "eql_v2", [&]<class Scalar>(Scalar) {
      for_each_item(ctx, logits.size(0),
                    EqlV2Scores<Scalar>{logits.data<Scalar>(), scores.data<ComputeType<Scalar>>(), classes()});
    });
    return scores;
  }

 private:
  template <class Scalar>
  void run(Context& ctx, const ClassRows<Scalar>& rows, int64_t count) const {
    using Real = ComputeType<Scalar>;
    using Magnitudes = GradientMagnitudes<Scalar>;
    const DType dtype = dtype_of<Real>();
    const Tensor negative = Tensor::empty(ctx, {classes() + 1}, dtype),
                 positive = Tensor::empty(ctx, {classes() + 1}, dtype);
    for_each_item(ctx, classes() + 1,
                  EqlV2Weights<Real>{ratio_.data<Real>(), negative.data<Real>(), positive.data<Real>(), classes(),
                                     Real(options_.gamma), Real(options_.mu), Real(options_.alpha)});
    for_each_item(ctx, count, EqlV2Row<Scalar>{rows, negative.data<Real>(), positive.data<Real>()});
    const int64_t chunks = (count + Magnitudes::kRows - 1) / Magnitudes::kRows;
    const int64_t tiles = (classes() + Magnitudes::kColumns - 1) / Magnitudes::kColumns;
    const Tensor with = Tensor::empty(ctx, {chunks, classes()}, dtype),
                 without = Tensor::empty(ctx, {chunks, classes()}, dtype);
    for_each_item(
        ctx, chunks * tiles,
        Magnitudes{rows.gradient, rows.labels, with.data<Real>(), without.data<Real>(), count, classes(), tiles});
    for_each_item(ctx, classes(),
                  AddMagnitudes<Real>{with.data<Real>(), without.data<Real>(), positive_.data<Real>(),
                                      negative_.data<Real>(), ratio_.data<Real>(), chunks, classes()});
  }

  EqlV2Options options_;
  Tensor positive_, negative_, ratio_;  // [C] float32 (float64 in checks)
};

}  // namespace

EqlV2Options::EqlV2Options() {
  init = "normal";
  init_bias = -6.9068;
}

std::vector<LossKnob> EqlV2Options::own_knobs() {
  return {{"gamma", &gamma, "steepness of the weights in the gradient ratio", 0, 100},
          {"mu", &mu, "gradient ratio at the middle of that", 0, 10},
          {"alpha", &alpha, "positives weigh up to 1 + alpha", 0, 100}};
}

std::shared_ptr<ClassLoss> EqlV2Options::make(const Scope& scope, int64_t classes,
                                              const ClassStatistics& statistics) const {
  check_statistics(name(), statistics, classes);
  return std::make_shared<EqlV2Loss>(scope, *this, classes);
}

}  // namespace tailseg
