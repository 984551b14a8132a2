#include "autograd/convolution.h"

#include "autograd/columns.h"
#include "autograd/fold.h"

namespace tailseg {
namespace {

const Tensor* optional(const Variable& x) { return x.defined() ? &x.value() : nullptr; }

// dw (and dscale) from the gradient of the folded filters.
void filter_gradients(Context& ctx, const Variable& x, const Variable& w, const Variable& scale, const Tensor& dy,
                      const ConvGeometry& geometry) {
  if (!w.requires_grad() && !scale.requires_grad()) return;
  const Tensor dw = w.requires_grad() ? w.grad_destination(ctx) : Tensor::empty(ctx, w.shape(), w.value().dtype());
  conv2d_backward_filter(ctx, x.value(), dy, geometry, dw);
  if (scale.defined()) {
    const Tensor dscale = scale.requires_grad() ? scale.grad_destination(ctx) : Tensor();
    fold_scale_backward(ctx, w.value(), scale.value(), dw, w.requires_grad() ? dw : Tensor(), dscale);
    if (dscale.defined()) scale.accumulate(ctx, dscale);
  }
  w.accumulate(ctx, dw);
}

}  // namespace

Variable convolution(Context& ctx, const Variable& x, const Variable& w, const ConvGeometry& geometry,
                     const Epilogue& epilogue) {
  const auto& [scale, bias, residual, relu] = epilogue;
  const DType dtype = x.value().dtype();
  const Tensor filters = scale.defined() ? fold_scale(ctx, w.value(), scale.value(), dtype) : w.value_as(ctx, dtype);
  const Tensor y = conv2d(ctx, x.value(), filters, geometry, {optional(bias), optional(residual), relu});
  const Tensor kept = relu ? y : Tensor();
  return record(
      ctx, "convolution", y, {x, w, scale, bias, residual},
      [x, w, filters, geometry, kept, scale = scale, bias = bias, residual = residual](Context& c, const Tensor& dy) {
        const bool want_bias = bias.requires_grad();
        const MaskedGradient g = mask_and_sum(c, dy, kept, want_bias, want_bias ? bias.grad_destination(c) : Tensor());
        if (want_bias) bias.accumulate(c, g.sums);
        if (x.requires_grad()) x.accumulate(c, conv2d_backward_data(c, g.dy, filters, x.shape(), geometry));
        filter_gradients(c, x, w, scale, g.dy, geometry);
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
