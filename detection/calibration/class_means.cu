#include "detection/calibration/class_means.h"

#include "autograd/linear.h"
#include "detection/calibration/class_means_body.h"
#include "tensor/launch.h"

namespace tailseg {
namespace {

constexpr double kNever = -1e9;

}  // namespace

ClassMeans::ClassMeans(const Scope& scope, int64_t classes, int64_t features, const ClassMeansOptions& options)
    : options_(options),
      mean_(scope.store().add_buffer(scope.full("mean"), {classes, features}, 0)),
      count_(scope.store().add_buffer(scope.full("count"), {classes}, 0)) {}

void ClassMeans::add(Context& ctx, const Tensor& x, const Tensor& labels) const {
  const int64_t rows = x.size(0), classes = mean_.size(0), features = mean_.size(1);
  check_shape("class means: features", x, {-1, features});
  check_shape("class means: labels", labels, {rows});
  dispatch_floating(x.dtype(), "class_means", [&]<class Scalar>(Scalar) {
    using Real = ComputeType<Scalar>;
    TS_CHECK(mean_.dtype() == dtype_of<Real>(), "class means: features of ", name_of(x.dtype()), " into means of ",
             name_of(mean_.dtype()));
    for_each_item(ctx, classes,
                  AddToClassMean<Scalar>{x.data<Scalar>(), labels.data<int32_t>(), mean_.data<Real>(),
                                         count_.data<Real>(), rows, features});
  });
}

Variable ClassMeans::logits(Context& ctx, const Variable& x) const {
  const int64_t classes = mean_.size(0), features = mean_.size(1);
  const Tensor bias = Tensor::empty(ctx, {classes}, mean_.dtype());
  dispatch_full(mean_.dtype(), "class_means", [&]<class Real>(Real) {
    for_each_item(ctx, classes,
                  ClassMeanBias<Real>{mean_.data<Real>(), count_.data<Real>(), bias.data<Real>(), features,
                                      Real(options_.cosine ? 0 : 0.5), Real(kNever)});
  });
  const Variable weights(mean_), constants(bias);
  return options_.cosine ? normalized_linear(ctx, x, weights, constants, options_.normalized)
                         : linear(ctx, x, weights, constants, {.full = true});
}

}  // namespace tailseg
