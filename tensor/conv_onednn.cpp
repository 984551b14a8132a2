#include <cstring>

#include "tensor/conv.h"
#include "tensor/onednn_plan.h"
#include "tensor/parallel.h"
#include "tensor/profiler.h"

namespace tailseg {
namespace {

using dnnl::memory;
using onednn::Key;
using onednn::Plan;
using onednn::Plans;
using Tag = memory::format_tag;

enum Call : int64_t { kForward = 1, kBackwardData, kBackwardFilter };

struct Sizes {
  int64_t n, h, w, c, k, r, s, p, q, stride, padding, dilation;

  double products() const { return double(n * p * q) * double(k) * double(r * s * c); }
  double bytes() const { return 4.0 * (double(n * h * w * c) + double(k * r * s * c) + double(n * p * q * k)); }
  std::string text(const char* call) const {
    return tailseg::text(call, ": input ", Shape{n, h, w, c}, ", filters ", Shape{k, r, s, c}, ", output ",
                         Shape{n, p, q, k}, ", stride ", stride, ", padding ", padding, ", dilation ", dilation);
  }
  Key key(Call call, bool bias, bool residual, bool relu) const {
    return {call, n, h, w, c, k, r, s, stride, padding, dilation, bias, residual, relu};
  }

  memory::desc input(Tag tag) const { return {{n, c, h, w}, memory::data_type::f32, tag}; }
  memory::desc filters(Tag tag) const { return {{k, c, r, s}, memory::data_type::f32, tag}; }
  memory::desc output(Tag tag) const { return {{n, k, p, q}, memory::data_type::f32, tag}; }
  memory::desc bias() const { return {{k}, memory::data_type::f32, Tag::x}; }
  memory::dims strides() const { return {stride, stride}; }
  memory::dims dilations() const { return {dilation - 1, dilation - 1}; }
  memory::dims padding_before() const { return {padding, padding}; }
  memory::dims padding_after() const { return {end(h, r, p), end(w, s, q)}; }  // may be negative: unread pixels

 private:
  int64_t end(int64_t size, int64_t window, int64_t count) const {
    return (count - 1) * stride + dilation * (window - 1) + 1 - size - padding;
  }
};

Sizes sizes_of(const Tensor& x, const Tensor& w, const Tensor& y, const ConvGeometry& geometry) {
  return {x.size(0), x.size(1), x.size(2), x.size(3),       w.size(0),        w.size(1),
          w.size(2), y.size(1), y.size(2), geometry.stride, geometry.padding, geometry.dilation};
}

dnnl::convolution_forward::primitive_desc forward_description(const dnnl::engine& engine, const Sizes& g, bool bias,
                                                              bool residual, bool relu) {
  const memory::desc none;
  const dnnl::convolution_forward::desc description(
      dnnl::prop_kind::forward_training, dnnl::algorithm::convolution_direct, g.input(Tag::nhwc), g.filters(Tag::any),
      bias ? g.bias() : none, g.output(Tag::nhwc), g.strides(), g.dilations(), g.padding_before(), g.padding_after());
  return {description, onednn::make_attributes(residual, relu), engine};
}

Plan plan_forward(const dnnl::engine& engine, const Sizes& g, bool bias, bool residual, bool relu) {
  return onednn::checked(g.text("conv2d"), [&] {
    const auto primitive = forward_description(engine, g, bias, residual, relu);
    Plan plan;
    plan.name = "conv_forward_direct";
    plan.shapes = g.text("conv2d");
    plan.primitive = dnnl::convolution_forward(primitive);
    plan.operands = {
        onednn::make_operand(engine, DNNL_ARG_SRC, g.input(Tag::nhwc), primitive.src_desc(), false),
        onednn::make_operand(engine, DNNL_ARG_WEIGHTS, g.filters(Tag::ohwi), primitive.weights_desc(), false),
        onednn::make_operand(engine, DNNL_ARG_DST, g.output(Tag::nhwc), primitive.dst_desc(), true),
    };
    if (bias)
      plan.operands.push_back(onednn::make_operand(engine, DNNL_ARG_BIAS, g.bias(), primitive.bias_desc(), false));
    plan.scratchpad = primitive.scratchpad_desc();
    plan.cost = {g.bytes() + (residual ? 4.0 * double(g.n * g.p * g.q * g.k) : 0.0), 2 * g.products()};
    return plan;
  });
}

Plan plan_backward_data(const dnnl::engine& engine, const Sizes& g) {
  return onednn::checked(g.text("conv2d_backward_data"), [&] {
    const auto hint = forward_description(engine, g, false, false, false);
    const dnnl::convolution_backward_data::desc description(dnnl::algorithm::convolution_direct, g.input(Tag::nhwc),
                                                            g.filters(Tag::any), g.output(Tag::nhwc), g.strides(),
                                                            g.dilations(), g.padding_before(), g.padding_after());
    const dnnl::convolution_backward_data::primitive_desc primitive(description, onednn::make_attributes(false, false),
                                                                    engine, hint);
    Plan plan;
    plan.name = "conv_backward_data_direct";
    plan.shapes = g.text("conv2d_backward_data");
    plan.primitive = dnnl::convolution_backward_data(primitive);
    plan.operands = {
        onednn::make_operand(engine, DNNL_ARG_DIFF_DST, g.output(Tag::nhwc), primitive.diff_dst_desc(), false),
        onednn::make_operand(engine, DNNL_ARG_WEIGHTS, g.filters(Tag::ohwi), primitive.weights_desc(), false),
        onednn::make_operand(engine, DNNL_ARG_DIFF_SRC, g.input(Tag::nhwc), primitive.diff_src_desc(), true),
    };
    plan.scratchpad = primitive.scratchpad_desc();
    plan.cost = {g.bytes(), 2 * g.products()};
    return plan;
  });
}

Plan plan_backward_filter(const dnnl::engine& engine, const Sizes& g) {
  return onednn::checked(g.text("conv2d_backward_filter"), [&] {
    const auto hint = forward_description(engine, g, false, false, false);
    const dnnl::convolution_backward_weights::desc description(dnnl::algorithm::convolution_direct, g.input(Tag::nhwc),
                                                               g.filters(Tag::any), g.output(Tag::nhwc), g.strides(),
                                                               g.dilations(), g.padding_before(), g.padding_after());
    const dnnl::convolution_backward_weights::primitive_desc primitive(
        description, onednn::make_attributes(false, false), engine, hint);
    Plan plan;
    plan.name = "conv_backward_filter_direct";
    plan.shapes = g.text("conv2d_backward_filter");
    plan.primitive = dnnl::convolution_backward_weights(primitive);
    plan.operands = {
        onednn::make_operand(engine, DNNL_ARG_SRC, g.input(Tag::nhwc), primitive.src_desc(), false),
        onednn::make_operand(engine, DNNL_ARG_DIFF_DST, g.output(Tag::nhwc), primitive.diff_dst_desc(), false),
        onednn::make_operand(engine, DNNL_ARG_DIFF_WEIGHTS, g.filters(Tag::ohwi), primitive.diff_weights_desc(), true),
    };
    plan.scratchpad = primitive.scratchpad_desc();
    plan.cost = {g.bytes(), 2 * g.products()};
    return plan;
  });
}

// x[row, c] = relu(x + bias[c]) in place: the epilogue of a transposed convolution.
void add_bias(Context& ctx, const Tensor& x, const Tensor* bias, bool relu) {
  if (!bias && !relu) return;
  const int64_t channels = x.size(3);
  float* values = x.data<float>();
  const float* shift = bias ? bias->data<float>() : nullptr;
  KernelScope scope(ctx, "conv_bias_relu", {2.0 * double(x.bytes()), double(x.elements())});
  parallel_ranges(ctx.threads(), x.elements() / channels, [=](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      float* line = values + row * channels;
      for (int64_t c = 0; c < channels; ++c) {
        const float value = line[c] + (shift ? shift[c] : 0.0f);
        line[c] = relu && value < 0.0f ? 0.0f : value;
      }
    }
  });
}

}  // namespace

bool conv2d_onednn(Context& ctx, const Tensor& x, const Tensor& w, const ConvGeometry& geometry,
                   const ConvEpilogue& epilogue, const Tensor& y) {
  const Sizes g = sizes_of(x, w, y, geometry);
  const bool bias = epilogue.bias, residual = epilogue.residual, relu = epilogue.relu;
  Plans& plans = ctx.state<Plans>();
  const onednn::ThreadScope threads(ctx);
  Plan& plan = plans.find(g.key(kForward, bias, residual, relu),
                          [&](const dnnl::engine& engine) { return plan_forward(engine, g, bias, residual, relu); });
  if (residual) y.copy_from(ctx, *epilogue.residual);
  std::vector<void*> pointers{x.raw(), w.raw(), y.raw()};
  if (bias) pointers.push_back(epilogue.bias->raw());
  plans.run(ctx, plan, pointers);
  return true;
}

bool conv2d_backward_data_onednn(Context& ctx, const Tensor& dy, const Tensor& w, const ConvGeometry& geometry,
                                 const ConvEpilogue& epilogue, const Tensor& dx) {
  const Sizes g = sizes_of(dx, w, dy, geometry);
  if (g.n * g.p * g.q * g.k == 0) return false;
  Plans& plans = ctx.state<Plans>();
  const onednn::ThreadScope threads(ctx);
  Plan& plan = plans.find(g.key(kBackwardData, false, false, false),
                          [&](const dnnl::engine& engine) { return plan_backward_data(engine, g); });
  plans.run(ctx, plan, {dy.raw(), w.raw(), dx.raw()});
  add_bias(ctx, dx, epilogue.bias, epilogue.relu);
  return true;
}

bool conv2d_backward_filter_onednn(Context& ctx, const Tensor& x, const Tensor& dy, const ConvGeometry& geometry,
                                   const Tensor& dw) {
  const Sizes g = sizes_of(x, dw, dy, geometry);
  Plans& plans = ctx.state<Plans>();
  const onednn::ThreadScope threads(ctx);
  Plan& plan = plans.find(g.key(kBackwardFilter, false, false, false),
                          [&](const dnnl::engine& engine) { return plan_backward_filter(engine, g); });
  plans.run(ctx, plan, {x.raw(), dy.raw(), dw.raw()});
  return true;
}

}  // namespace tailseg
