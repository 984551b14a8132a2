#include "autograd/fold.h"

#include <algorithm>

#include "autograd/fold_body.h"
#include "tensor/launch.h"

namespace tailseg {

namespace {

int64_t taps_of(const Tensor& w) { return w.elements() / std::max<int64_t>(w.size(0), 1); }

void check_like(const char* what, const Tensor& tensor, const Tensor& w) {
  TS_CHECK(!tensor.defined() || (tensor.shape() == w.shape() && tensor.dtype() == w.dtype()), what, ": expected ",
           w.shape(), " ", name_of(w.dtype()), ", got ", tensor.shape(), " ", name_of(tensor.dtype()));
}

}  // namespace

Tensor fold_scale(Context& ctx, const Tensor& w, const Tensor& scale, DType dtype) {
  check_shape("fold_scale: scale", scale, {w.size(0)});
  TS_CHECK(w.dtype() == compute_dtype(dtype), "fold_scale: filters ", name_of(w.dtype()), " for ", name_of(dtype));
  Tensor folded = Tensor::empty(ctx, w.shape(), dtype);
  dispatch_floating(dtype, "fold_scale", [&]<class Out>(Out) {
    using Real = ComputeType<Out>;
    for_each_item(ctx, w.size(0),
                  FoldScale<Real, Out>{w.data<Real>(), scale.data<Real>(), folded.data<Out>(), taps_of(w)});
  });
  return folded;
}

void fold_scale_backward(Context& ctx, const Tensor& w, const Tensor& scale, const Tensor& dfolded, const Tensor& dw,
                         const Tensor& dscale) {
  check_shape("fold_scale_backward: scale", scale, {w.size(0)});
  TS_CHECK(dfolded.defined(), "fold_scale_backward: the gradient of the folded filters is undefined");
  check_like("fold_scale_backward: gradient of the folded filters", dfolded, w);
  check_like("fold_scale_backward: gradient of the filters", dw, w);
  if (dscale.defined()) check_shape("fold_scale_backward: gradient of the scale", dscale, {w.size(0)});
  dispatch_full(w.dtype(), "fold_scale_backward", [&]<class Scalar>(Scalar) {
    for_each_item(ctx, w.size(0),
                  FoldScaleBackward<Scalar>{w.data<Scalar>(), scale.data<Scalar>(), dfolded.data<Scalar>(),
                                            dw.defined() ? dw.data<Scalar>() : nullptr,
                                            dscale.defined() ? dscale.data<Scalar>() : nullptr, taps_of(w)});
  });
}

ScaleAndBias fold_batch_norm(Context& ctx, const Variable& gamma, const Variable& beta, const Tensor& mean,
                             const Tensor& var, double eps) {
  check_shape("fold_batch_norm: gamma", gamma.value(), {-1});
  const int64_t channels = gamma.size(0);
  check_shape("fold_batch_norm: beta", beta.value(), {channels});
  check_shape("fold_batch_norm: mean", mean, {channels});
  check_shape("fold_batch_norm: variance", var, {channels});
  const DType dtype = gamma.value().dtype();
  const Tensor scale = Tensor::empty(ctx, {channels}, dtype);
  const Tensor bias = Tensor::empty(ctx, {channels}, dtype);
  dispatch_full(dtype, "fold_batch_norm", [&]<class Scalar>(Scalar) {
    for_each_item(ctx, channels,
                  FoldBatchNorm<Scalar>{gamma.value().data<Scalar>(), beta.value().data<Scalar>(), mean.data<Scalar>(),
                                        var.data<Scalar>(), scale.data<Scalar>(), bias.data<Scalar>(), eps});
  });
  // scale and bias are two results; each hands its share of gamma's gradient over when its own gradient arrives.
  auto dgamma_of = [gamma, mean, var, eps](Context& c, const Tensor* dscale, const Tensor* dbias) {
    const Tensor dgamma = Tensor::empty(c, gamma.shape(), gamma.value().dtype());
    dispatch_full(gamma.value().dtype(), "fold_batch_norm_backward", [&]<class Scalar>(Scalar) {
      for_each_item(c, gamma.size(0),
                    FoldBatchNormBackward<Scalar>{mean.data<Scalar>(), var.data<Scalar>(),
                                                  dscale ? dscale->data<Scalar>() : nullptr,
                                                  dbias ? dbias->data<Scalar>() : nullptr, dgamma.data<Scalar>(), eps});
    });
    gamma.accumulate(c, dgamma);
  };
  ScaleAndBias out;
  out.scale = record(ctx, "fold_batch_norm_scale", scale, {gamma}, [gamma, dgamma_of](Context& c, const Tensor& ds) {
    if (gamma.requires_grad()) dgamma_of(c, &ds, nullptr);
  });
  out.bias =
      record(ctx, "fold_batch_norm_bias", bias, {gamma, beta}, [gamma, beta, dgamma_of](Context& c, const Tensor& db) {
        if (gamma.requires_grad()) dgamma_of(c, nullptr, &db);
        beta.accumulate(c, db);
      });
  return out;
}

}  // namespace tailseg
