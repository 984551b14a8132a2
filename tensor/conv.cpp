#include "tensor/conv.h"

#include "tensor/capture.h"
#include "tensor/device_check.h"

namespace tailseg {
namespace {

void check_same_dtype(const char* what, const Tensor& a, const Tensor& b) {
  TS_CHECK(a.dtype() == b.dtype(), what, ": dtypes differ: ", name_of(a.dtype()), " and ", name_of(b.dtype()));
}

// The last axis of the filters.
int64_t channels_of_group(const char* what, const ConvGeometry& geometry, int64_t channels, int64_t outputs) {
  const int64_t groups = geometry.groups;
  TS_CHECK(groups > 0 && channels % groups == 0 && outputs % groups == 0, what, ": ", channels, " channels in and ",
           outputs, " out cannot be cut into ", groups, " groups");
  return channels / groups;
}

// Of a bias and a gradient of the filters.
void check_parameter_dtype(const Context& ctx, const char* what, const Tensor& tensor, DType data) {
  TS_CHECK(tensor.dtype() == compute_dtype(data) || tensor.dtype() == conv_parameter_dtype(ctx, data), what,
           ": expected ", name_of(compute_dtype(data)), ", got ", name_of(tensor.dtype()));
}

void check_bias(const Context& ctx, const char* what, const ConvEpilogue& epilogue, int64_t channels, DType data) {
  if (!epilogue.bias) return;
  check_shape(what, *epilogue.bias, {channels});
  check_parameter_dtype(ctx, what, *epilogue.bias, data);
}

// Does a library have this dtype on the CPU?
bool is_for_library(DType dtype) { return dtype == DType::float32 || dtype == DType::bfloat16; }

// An epilogue that owns what it points to, for a call that runs later.
struct OwnedEpilogue {
  Tensor bias, residual;
  bool relu;
  explicit OwnedEpilogue(const ConvEpilogue& from)
      : bias(from.bias ? *from.bias : Tensor()), residual(from.residual ? *from.residual : Tensor()), relu(from.relu) {}
  ConvEpilogue view() const {
    return {bias.defined() ? &bias : nullptr, residual.defined() ? &residual : nullptr, relu};
  }
};

bool is_empty(const Tensor& a, const Tensor& b) { return a.elements() == 0 || b.elements() == 0; }

}  // namespace

int64_t ConvGeometry::output_size(int64_t input, int64_t window) const {
  TS_CHECK(window > 0, "conv2d: a window of ", window);
  const int64_t reach = dilation * (window - 1) + 1;
  TS_CHECK(stride > 0 && padding >= 0 && dilation > 0, "conv2d: stride ", stride, ", padding ", padding, ", dilation ",
           dilation);
  TS_CHECK(input + 2 * padding >= reach, "conv2d: a window of ", reach, " does not fit an axis of ", input,
           " padded by ", padding);
  return (input + 2 * padding - reach) / stride + 1;
}

DType conv_parameter_dtype(const Context& ctx, DType data) {
  return ctx.device().is_cuda() ? data : compute_dtype(data);
}

Tensor conv2d(Context& ctx, const Tensor& x, const Tensor& w, const ConvGeometry& geometry,
              const ConvEpilogue& epilogue) {
  check_shape("conv2d: input", x, {-1, -1, -1, -1});
  check_shape("conv2d: filters", w, {-1, -1, -1, -1});
  check_device(ctx, "conv2d", "input", x);
  check_device(ctx, "conv2d", "filters", w);
  check_shape("conv2d: filters", w, {-1, -1, -1, channels_of_group("conv2d", geometry, x.size(3), w.size(0))});
  check_same_dtype("conv2d", x, w);
  const Shape shape{x.size(0), geometry.output_size(x.size(1), w.size(1)), geometry.output_size(x.size(2), w.size(2)),
                    w.size(0)};
  check_bias(ctx, "conv2d: bias", epilogue, w.size(0), x.dtype());
  if (epilogue.bias) check_device(ctx, "conv2d", "bias", *epilogue.bias);
  if (epilogue.residual) {
    check_device(ctx, "conv2d", "residual", *epilogue.residual);
    check_shape("conv2d: residual", *epilogue.residual, {shape[0], shape[1], shape[2], shape[3]});
    check_same_dtype("conv2d: input and residual", x, *epilogue.residual);
  }
  Tensor y = Tensor::empty(ctx, shape, x.dtype());
  if (y.elements() == 0) return y;
  if (is_empty(x, w)) {  // no channels: the epilogue alone
    conv2d_naive(ctx, x, w, geometry, epilogue, y);
  } else if (ctx.device().is_cuda()) {
    conv2d_cuda(ctx, x, w, geometry, epilogue, y);
  } else {
    run_or_capture(ctx, [&ctx, x, w, geometry, owned = OwnedEpilogue(epilogue), y] {
      if (is_for_library(x.dtype()) && conv2d_onednn(ctx, x, w, geometry, owned.view(), y)) return;
      conv2d_naive(ctx, x, w, geometry, owned.view(), y);
    });
  }
  return y;
}

Tensor conv2d_backward_data(Context& ctx, const Tensor& dy, const Tensor& w, const Shape& x_shape,
                            const ConvGeometry& geometry, const ConvEpilogue& epilogue) {
  TS_CHECK(x_shape.axes() == 4, "conv2d_backward_data: expected an input of four axes, got ", x_shape);
  check_shape("conv2d_backward_data: filters", w, {-1, -1, -1, -1});
  check_shape("conv2d_backward_data: filters", w,
              {-1, -1, -1, channels_of_group("conv2d_backward_data", geometry, x_shape[3], w.size(0))});
  check_shape("conv2d_backward_data: gradient", dy,
              {x_shape[0], geometry.output_size(x_shape[1], w.size(1)), geometry.output_size(x_shape[2], w.size(2)),
               w.size(0)});
  check_same_dtype("conv2d_backward_data", dy, w);
  check_device(ctx, "conv2d_backward_data", "gradient", dy);
  check_device(ctx, "conv2d_backward_data", "filters", w);
  if (epilogue.bias) check_device(ctx, "conv2d_backward_data", "bias", *epilogue.bias);
  TS_CHECK(!epilogue.residual, "conv2d_backward_data takes no residual");
  check_bias(ctx, "conv2d_backward_data: bias", epilogue, x_shape[3], dy.dtype());
  Tensor dx = Tensor::empty(ctx, x_shape, dy.dtype());
  if (dx.elements() == 0) return dx;
  if (is_empty(dy, w)) {
    conv2d_backward_data_naive(ctx, dy, w, geometry, epilogue, dx);
  } else if (ctx.device().is_cuda()) {
    conv2d_backward_data_cuda(ctx, dy, w, geometry, epilogue, dx);
  } else {
    run_or_capture(ctx, [&ctx, dy, w, geometry, owned = OwnedEpilogue(epilogue), dx] {
      if (is_for_library(dy.dtype()) && conv2d_backward_data_onednn(ctx, dy, w, geometry, owned.view(), dx)) return;
      conv2d_backward_data_naive(ctx, dy, w, geometry, owned.view(), dx);
    });
  }
  return dx;
}

void conv2d_backward_filter(Context& ctx, const Tensor& x, const Tensor& dy, const ConvGeometry& geometry,
                            const Tensor& out) {
  check_shape("conv2d_backward_filter: input", x, {-1, -1, -1, -1});
  check_shape("conv2d_backward_filter: gradient", dy, {x.size(0), -1, -1, -1});
  check_shape("conv2d_backward_filter: result", out,
              {dy.size(3), -1, -1, channels_of_group("conv2d_backward_filter", geometry, x.size(3), dy.size(3))});
  check_shape("conv2d_backward_filter: gradient", dy,
              {x.size(0), geometry.output_size(x.size(1), out.size(1)), geometry.output_size(x.size(2), out.size(2)),
               out.size(0)});
  check_same_dtype("conv2d_backward_filter", x, dy);
  check_device(ctx, "conv2d_backward_filter", "input", x);
  check_device(ctx, "conv2d_backward_filter", "gradient", dy);
  check_device(ctx, "conv2d_backward_filter", "result", out);
  check_parameter_dtype(ctx, "conv2d_backward_filter: result", out, x.dtype());
  if (x.elements() == 0 || dy.elements() == 0) return out.zero(ctx);
  if (ctx.device().is_cuda()) return conv2d_backward_filter_cuda(ctx, x, dy, geometry, out);
  run_or_capture(ctx, [&ctx, x, dy, geometry, out] {
    if (is_for_library(x.dtype()) && conv2d_backward_filter_onednn(ctx, x, dy, geometry, out)) return;
    conv2d_backward_filter_naive(ctx, x, dy, geometry, out);
  });
}

#ifndef TAILSEG_CUDA
void conv2d_cuda(Context& ctx, const Tensor& x, const Tensor& w, const ConvGeometry& g, const ConvEpilogue& e,
                 const Tensor& y) {
  conv2d_naive(ctx, x, w, g, e, y);
}
void conv2d_backward_data_cuda(Context& ctx, const Tensor& dy, const Tensor& w, const ConvGeometry& g,
                               const ConvEpilogue& e, const Tensor& dx) {
  conv2d_backward_data_naive(ctx, dy, w, g, e, dx);
}
void conv2d_backward_filter_cuda(Context& ctx, const Tensor& x, const Tensor& dy, const ConvGeometry& g,
                                 const Tensor& dw) {
  conv2d_backward_filter_naive(ctx, x, dy, g, dw);
}
#endif
#ifndef TAILSEG_ONEDNN
bool conv2d_onednn(Context&, const Tensor&, const Tensor&, const ConvGeometry&, const ConvEpilogue&, const Tensor&) {
  return false;
}
bool conv2d_backward_data_onednn(Context&, const Tensor&, const Tensor&, const ConvGeometry&, const ConvEpilogue&,
                                 const Tensor&) {
  return false;
}
bool conv2d_backward_filter_onednn(Context&, const Tensor&, const Tensor&, const ConvGeometry&, const Tensor&) {
  return false;
}
#endif

}  // namespace tailseg
