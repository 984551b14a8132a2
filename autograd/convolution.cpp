#include "autograd/convolution.h"

#include "autograd/columns.h"

namespace tailseg {
namespace {

const Tensor* optional(const Tensor& x) { return x.defined() ? &x : nullptr; }
const Tensor* optional(const Variable& x) { return x.defined() ? &x.value() : nullptr; }

// dw and dgamma from the gradients of the result and of the bias.
void filter_gradients(Context& ctx, const Variable& x, const Variable& w, const FrozenNorm& norm, const Tensor& dy,
                      const Tensor& dbias, const ConvGeometry& geometry) {
  const bool want_gamma = norm.defined() && norm.gamma.requires_grad();
  if (!w.requires_grad() && !want_gamma) return;
  const Tensor dw = w.requires_grad() ? w.grad_destination(ctx) : Tensor();
  const DType dtype = norm.defined() ? conv_parameter_dtype(ctx, dy.dtype()) : w.value().dtype();
  const Tensor dfolded = dw.defined() && dw.dtype() == dtype ? dw : Tensor::empty(ctx, w.shape(), dtype);
  conv2d_backward_filter(ctx, x.value(), dy, geometry, dfolded);
  if (norm.defined()) {
    const Tensor dgamma = want_gamma ? norm.gamma.grad_destination(ctx) : Tensor();
    fold_norm_backward(ctx, w.value(), norm, dfolded, dbias, dw, dgamma);
    if (want_gamma) norm.gamma.accumulate(ctx, dgamma);
  }
  if (dw.defined()) w.accumulate(ctx, dw);
}

}  // namespace

Variable convolution(Context& ctx, const Variable& x, const Variable& w, const ConvGeometry& geometry,
                     const Epilogue& epilogue) {
  const auto& [norm, bias, residual, relu] = epilogue;
  TS_CHECK(!norm.defined() || !bias.defined(), "convolution: a bias beside a norm, which has its own");
  if (bias.defined()) {
    TS_CHECK(bias.value().dtype() == w.value().dtype(), "convolution: a bias ", name_of(bias.value().dtype()),
             " beside filters ", name_of(w.value().dtype()));
  }
  const DType dtype = x.value().dtype(), bias_dtype = conv_parameter_dtype(ctx, dtype);
  const FoldedFilters working =
      norm.defined()
          ? fold_norm(ctx, w.value(), norm, dtype, bias_dtype)
          : FoldedFilters{w.value_as(ctx, dtype), bias.defined() ? bias.value_as(ctx, bias_dtype) : Tensor()};
  const Tensor y =
      conv2d(ctx, x.value(), working.filters, geometry, {optional(working.bias), optional(residual), relu});
  const Tensor kept = relu ? y : Tensor();
  const Variable& shift = norm.defined() ? norm.beta : bias;
  return record(ctx, "convolution", y, {x, w, norm.gamma, shift, residual},
                [x, w, filters = working.filters, geometry, kept, norm = norm, shift, residual = residual](
                    Context& c, const Tensor& dy) {
                  const bool want_sums = shift.requires_grad() || norm.gamma.requires_grad();
                  const MaskedGradient g = mask_and_sum(c, dy, kept, want_sums,
                                                        shift.requires_grad() ? shift.grad_destination(c) : Tensor());
                  if (x.requires_grad()) x.accumulate(c, conv2d_backward_data(c, g.dy, filters, x.shape(), geometry));
                  filter_gradients(c, x, w, norm, g.dy, g.sums, geometry);
                  if (shift.requires_grad()) shift.accumulate(c, g.sums);
                  residual.accumulate(c, g.dy);
                });
}

Variable transposed_convolution(Context& ctx, const Variable& x, const Variable& w, const ConvGeometry& geometry,
                                const Variable& bias, bool relu) {
  TS_CHECK(geometry.groups == 1, "transposed_convolution in ", geometry.groups, " groups; expected 1");
  check_shape("transposed_convolution: input", x.value(), {-1, -1, -1, w.size(0)});
  auto grown = [&](int64_t size, int64_t window) {
    return (size - 1) * geometry.stride + geometry.dilation * (window - 1) + 1 - 2 * geometry.padding;
  };
  const Shape shape{x.size(0), grown(x.size(1), w.size(1)), grown(x.size(2), w.size(2)), w.size(3)};
  const Tensor filters = w.value_as(ctx, x.value().dtype());
  const Tensor y = conv2d_backward_data(ctx, x.value(), filters, shape, geometry, {optional(bias), nullptr, relu});
  const Tensor kept = relu ? y : Tensor();
  return record(ctx, "transposed_convolution", y, {x, w, bias},
                [x, w, bias, filters, geometry, kept](Context& c, const Tensor& dy) {
                  const bool want_bias = bias.requires_grad();
                  const MaskedGradient g =
                      mask_and_sum(c, dy, kept, want_bias, want_bias ? bias.grad_destination(c) : Tensor());
                  if (want_bias) bias.accumulate(c, g.sums);
                  if (x.requires_grad()) x.accumulate(c, conv2d(c, g.dy, filters, geometry));
                  if (w.requires_grad()) {
                    const Tensor dw = w.grad_destination(c);
                    conv2d_backward_filter(c, g.dy, x.value(), geometry, dw);
                    w.accumulate(c, dw);
                  }
                });
}

}  // namespace tailseg
