// Which algorithm serves which layer, and the library's direct convolutions. 3x3 stride-1 layers go to Winograd where
// it pays (onednn_winograd.h); everything else is the library's direct algorithm, which reads and writes [N, H, W, C]
// as it is. The choice is a function of the shapes alone, so that two runs do the same arithmetic.
#include "tensor/conv.h"
#include "tensor/conv_epilogue.h"
#include "tensor/conv_naive_body.h"
#include "tensor/onednn_disjoint.h"
#include "tensor/onednn_plan.h"
#include "tensor/onednn_winograd.h"
#include "tensor/profiler.h"

namespace tailseg {
namespace {

using dnnl::memory;
using onednn::Key;
using onednn::Plan;
using onednn::Plans;
using Tag = memory::format_tag;

enum Call : int64_t { kForward = 1, kBackwardData, kBackwardFilter };

ConvSizes sizes_of(const Tensor& x, const Tensor& w, const Tensor& y, const ConvGeometry& geometry) {
  return {x.size(0), x.size(1), x.size(2),       x.size(3),        w.size(0),         w.size(1),      w.size(2),
          y.size(1), y.size(2), geometry.stride, geometry.padding, geometry.dilation, geometry.groups};
}

std::string describe(const char* call, const ConvSizes& g) {
  return text(call, ": input ", Shape{g.n, g.h, g.w, g.c}, ", filters ", Shape{g.k, g.r, g.s, g.inputs()}, ", output ",
              Shape{g.n, g.p, g.q, g.k}, ", stride ", g.stride, ", padding ", g.padding, ", dilation ", g.dilation,
              ", groups ", g.groups);
}

Key key_of(Call call, const ConvSizes& g, bool bias, bool residual, bool relu) {
  return {call, g.n, g.h, g.w, g.c, g.k, g.r, g.s, g.stride, g.padding, g.dilation, g.groups, bias, residual, relu};
}

// The library's words for a layer.
struct Layer {
  memory::desc x, w, bias, y;                      // our layouts
  memory::desc any_x, any_w, any_y;                // layouts of the library's choice
  memory::dims strides, dilations, before, after;  // `after` is negative where the last pixels are not read

  explicit Layer(const ConvSizes& g)
      : x({g.n, g.c, g.h, g.w}, memory::data_type::f32, Tag::nhwc),
        w(filters(g, g.groups == 1 ? Tag::ohwi : Tag::abdec)),  // abdec: group, K / G, R, S, C / G
        bias({g.k}, memory::data_type::f32, Tag::x),
        y({g.n, g.k, g.p, g.q}, memory::data_type::f32, Tag::nhwc),
        any_x({g.n, g.c, g.h, g.w}, memory::data_type::f32, Tag::any),
        any_w(filters(g, Tag::any)),
        any_y({g.n, g.k, g.p, g.q}, memory::data_type::f32, Tag::any),
        strides{g.stride, g.stride},
        dilations{g.dilation - 1, g.dilation - 1},
        before{g.padding, g.padding},
        after{(g.p - 1) * g.stride + g.dilation * (g.r - 1) + 1 - g.h - g.padding,
              (g.q - 1) * g.stride + g.dilation * (g.s - 1) + 1 - g.w - g.padding} {}

  static memory::desc filters(const ConvSizes& g, Tag tag) {
    if (g.groups == 1) return {{g.k, g.c, g.r, g.s}, memory::data_type::f32, tag};
    return {{g.groups, g.outputs(), g.inputs(), g.r, g.s}, memory::data_type::f32, tag};
  }
  dnnl::convolution_forward::primitive_desc forward(const dnnl::engine& engine, bool with_bias, bool residual,
                                                    bool relu) const {
    return {{dnnl::prop_kind::forward_training, dnnl::algorithm::convolution_direct, x, any_w,
             with_bias ? bias : memory::desc(), y, strides, dilations, before, after},
            onednn::make_attributes(residual, relu),
            engine};
  }
};

Cost cost_of(const ConvSizes& g, bool residual) {
  const double inputs = double(g.n * g.h * g.w * g.c), filters = double(g.k * g.r * g.s * g.inputs());
  const double outputs = double(g.n * g.p * g.q * g.k);
  return {4.0 * (inputs + filters + outputs * (residual ? 2 : 1)), 2 * g.products()};
}

Plan plan_forward(const dnnl::engine& engine, const ConvSizes& g, bool bias, bool residual, bool relu) {
  Plan plan;
  plan.shapes = describe("conv2d", g);
  onednn::checked(plan.shapes, [&] {
    const Layer layer(g);
    const auto primitive = layer.forward(engine, bias, residual, relu);
    plan.primitive = dnnl::convolution_forward(primitive);
    plan.operands = {onednn::make_operand(engine, DNNL_ARG_SRC, layer.x, primitive.src_desc(), false),
                     onednn::make_operand(engine, DNNL_ARG_WEIGHTS, layer.w, primitive.weights_desc(), false),
                     onednn::make_operand(engine, DNNL_ARG_DST, layer.y, primitive.dst_desc(), true)};
    if (bias) plan.operands.push_back(onednn::make_operand(engine, DNNL_ARG_BIAS, layer.bias, layer.bias, false));
    plan.scratchpad = primitive.scratchpad_desc();
  });
  return plan;
}

Plan plan_backward_data(const dnnl::engine& engine, const ConvSizes& g) {
  Plan plan;
  plan.shapes = describe("conv2d_backward_data", g);
  onednn::checked(plan.shapes, [&] {
    const Layer layer(g);
    const dnnl::convolution_backward_data::primitive_desc primitive(
        {dnnl::algorithm::convolution_direct, layer.x, layer.any_w, layer.y, layer.strides, layer.dilations,
         layer.before, layer.after},
        onednn::make_attributes(false, false), engine, layer.forward(engine, false, false, false));
    plan.primitive = dnnl::convolution_backward_data(primitive);
    plan.operands = {onednn::make_operand(engine, DNNL_ARG_DIFF_DST, layer.y, primitive.diff_dst_desc(), false),
                     onednn::make_operand(engine, DNNL_ARG_WEIGHTS, layer.w, primitive.weights_desc(), false),
                     onednn::make_operand(engine, DNNL_ARG_DIFF_SRC, layer.x, primitive.diff_src_desc(), true)};
    plan.scratchpad = primitive.scratchpad_desc();
  });
  return plan;
}

// With [N, H, W, C] the library's algorithm for stride 2 runs at 150 to 200 GFLOP/s (one thread), with its own layouts
// at 240 and the conversions take 5 % (256 and 512 channels).
Plan plan_backward_filter(const dnnl::engine& engine, const ConvSizes& g) {
  Plan plan;
  plan.shapes = describe("conv2d_backward_filter", g);
  onednn::checked(plan.shapes, [&] {
    const Layer layer(g);
    const bool convert = g.stride > 1 && g.c >= 64 && g.k >= 64;
    const dnnl::convolution_backward_weights::primitive_desc primitive(
        {dnnl::algorithm::convolution_direct, convert ? layer.any_x : layer.x, layer.any_w,
         convert ? layer.any_y : layer.y, layer.strides, layer.dilations, layer.before, layer.after},
        onednn::make_attributes(false, false), engine, layer.forward(engine, false, false, false));
    plan.primitive = dnnl::convolution_backward_weights(primitive);
    plan.operands = {onednn::make_operand(engine, DNNL_ARG_SRC, layer.x, primitive.src_desc(), false),
                     onednn::make_operand(engine, DNNL_ARG_DIFF_DST, layer.y, primitive.diff_dst_desc(), false),
                     onednn::make_operand(engine, DNNL_ARG_DIFF_WEIGHTS, layer.w, primitive.diff_weights_desc(), true)};
    plan.scratchpad = primitive.scratchpad_desc();
  });
  return plan;
}

}  // namespace

bool conv2d_onednn(Context& ctx, const Tensor& x, const Tensor& w, const ConvGeometry& geometry,
                   const ConvEpilogue& epilogue, const Tensor& y) {
  const ConvSizes g = sizes_of(x, w, y, geometry);
  const bool bias = epilogue.bias, residual = epilogue.residual, relu = epilogue.relu;
  Plans& plans = ctx.state<Plans>();
  if (disjoint::serves(g)) {
    disjoint::forward(ctx, plans, g, x, w, epilogue, y);
    return true;
  }
  if (winograd::pays(g, winograd::Direction::forward)) {
    winograd::forward(ctx, plans, g, x, w, epilogue, y);
    return true;
  }
  KernelScope scope(ctx, "conv_forward_direct", cost_of(g, epilogue.residual));
  const onednn::ThreadScope threads(ctx.threads());
  const Plan& plan = plans.find(key_of(kForward, g, bias, residual, relu), [&](const dnnl::engine& engine) {
    return plan_forward(engine, g, bias, residual, relu);
  });
  if (residual) y.copy_from(ctx, *epilogue.residual);
  std::vector<void*> pointers{x.raw(), w.raw(), y.raw()};
  if (bias) pointers.push_back(epilogue.bias->raw());
  plans.run(ctx, plan, pointers);
  return true;
}

bool conv2d_backward_data_onednn(Context& ctx, const Tensor& dy, const Tensor& w, const ConvGeometry& geometry,
                                 const ConvEpilogue& epilogue, const Tensor& dx) {
  const ConvSizes g = sizes_of(dx, w, dy, geometry);
  Plans& plans = ctx.state<Plans>();
  if (disjoint::serves(g)) {
    disjoint::backward_data(ctx, plans, g, dy, w, epilogue, dx);
    return true;
  }
  if (winograd::pays(g, winograd::Direction::backward_data)) {
    winograd::backward_data(ctx, plans, g, dy, w, epilogue, dx);
    return true;
  }
  {
    KernelScope scope(ctx, "conv_backward_data_direct", cost_of(g, false));
    const onednn::ThreadScope threads(ctx.threads());
    const Plan& plan = plans.find(key_of(kBackwardData, g, false, false, false),
                                  [&](const dnnl::engine& engine) { return plan_backward_data(engine, g); });
    plans.run(ctx, plan, {dy.raw(), w.raw(), dx.raw()});
  }
  if (epilogue.bias || epilogue.relu) apply_conv_epilogue(ctx, dx, epilogue);
  return true;
}

bool conv2d_backward_filter_onednn(Context& ctx, const Tensor& x, const Tensor& dy, const ConvGeometry& geometry,
                                   const Tensor& dw) {
  const ConvSizes g = sizes_of(x, dw, dy, geometry);
  Plans& plans = ctx.state<Plans>();
  if (disjoint::serves(g)) {
    disjoint::backward_filter(ctx, plans, g, x, dy, dw);
    return true;
  }
  if (winograd::pays(g, winograd::Direction::backward_filter)) {
    winograd::backward_filter(ctx, plans, g, x, dy, dw);
    return true;
  }
  KernelScope scope(ctx, "conv_backward_filter_direct", cost_of(g, false));
  const onednn::ThreadScope threads(ctx.threads());
  const Plan& plan = plans.find(key_of(kBackwardFilter, g, false, false, false),
                                [&](const dnnl::engine& engine) { return plan_backward_filter(engine, g); });
  plans.run(ctx, plan, {x.raw(), dy.raw(), dw.raw()});
  return true;
}

}  // namespace tailseg
