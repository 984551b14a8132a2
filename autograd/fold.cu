#include "autograd/fold.h"

#include <algorithm>

#include "autograd/fold_body.h"
#include "tensor/launch.h"

namespace tailseg {
namespace {

int64_t taps_of(const Tensor& w) { return w.elements() / std::max<int64_t>(w.size(0), 1); }

void check_channels(const char* what, const Tensor& tensor, const Tensor& w) {
  check_shape(what, tensor, {w.size(0)});
  TS_CHECK(tensor.dtype() == w.dtype(), what, ": expected ", name_of(w.dtype()), ", got ", name_of(tensor.dtype()));
}

void check_norm(const Tensor& w, const FrozenNorm& norm) {
  check_channels("fold_norm: gamma", norm.gamma.value(), w);
  check_channels("fold_norm: beta", norm.beta.value(), w);
  check_channels("fold_norm: mean", norm.mean, w);
  check_channels("fold_norm: variance", norm.var, w);
}

template <class Real, class Out, class Bias>
void fold(Context& ctx, const Tensor& w, const FrozenNorm& norm, const FoldedFilters& to) {
  for_each_item(ctx, w.size(0),
                FoldNorm<Real, Out, Bias>{w.data<Real>(), norm.gamma.value().data<Real>(),
                                          norm.beta.value().data<Real>(), norm.mean.data<Real>(), norm.var.data<Real>(),
                                          to.filters.data<Out>(), to.bias.data<Bias>(), taps_of(w), norm.eps});
}

}  // namespace

FoldedFilters fold_norm(Context& ctx, const Tensor& w, const FrozenNorm& norm, DType dtype, DType bias_dtype) {
  check_norm(w, norm);
  TS_CHECK(w.dtype() == compute_dtype(dtype), "fold_norm: filters ", name_of(w.dtype()), " for ", name_of(dtype));
  TS_CHECK(bias_dtype == dtype || bias_dtype == w.dtype(), "fold_norm: a bias ", name_of(bias_dtype), " beside ",
           name_of(dtype));
  const FoldedFilters to{Tensor::empty(ctx, w.shape(), dtype), Tensor::empty(ctx, {w.size(0)}, bias_dtype)};
  dispatch_floating(dtype, "fold_norm", [&]<class Out>(Out) {
    using Real = ComputeType<Out>;
    if (bias_dtype == dtype) return fold<Real, Out, Out>(ctx, w, norm, to);
    fold<Real, Out, Real>(ctx, w, norm, to);
  });
  return to;
}

void fold_norm_backward(Context& ctx, const Tensor& w, const FrozenNorm& norm, const Tensor& dfolded,
                        const Tensor& dbias, const Tensor& dw, const Tensor& dgamma) {
  check_norm(w, norm);
  TS_CHECK(dfolded.shape() == w.shape() && compute_dtype(dfolded.dtype()) == w.dtype(),
           "fold_norm_backward: gradient of the folded filters: expected ", w.shape(), ", got ", dfolded.shape(), " ",
           name_of(dfolded.dtype()));
  TS_CHECK(!dw.defined() || (dw.shape() == w.shape() && dw.dtype() == w.dtype()),
           "fold_norm_backward: gradient of the filters: expected ", w.shape(), " ", name_of(w.dtype()), ", got ",
           dw.shape(), " ", name_of(dw.dtype()));
  if (dgamma.defined()) {
    check_channels("fold_norm_backward: gradient of gamma", dgamma, w);
    check_channels("fold_norm_backward: gradient of the bias", dbias, w);
  }
  dispatch_floating(dfolded.dtype(), "fold_norm_backward", [&]<class In>(In) {
    using Real = ComputeType<In>;
    for_each_item(ctx, w.size(0),
                  FoldNormBackward<Real, In>{w.data<Real>(), norm.gamma.value().data<Real>(), norm.mean.data<Real>(),
                                             norm.var.data<Real>(), dfolded.data<In>(),
                                             dgamma.defined() ? dbias.data<Real>() : nullptr,
                                             dw.defined() ? dw.data<Real>() : nullptr,
                                             dgamma.defined() ? dgamma.data<Real>() : nullptr, taps_of(w), norm.eps});
  });
}

}  // namespace tailseg
