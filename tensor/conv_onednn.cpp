// Which algorithm serves which layer, and the library's direct convolutions. 3x3 stride-1 layers go to Winograd where
// it pays (onednn_winograd.h); everything else is the library's direct algorithm, which reads and writes [N, H, W, C]
// as it is. The choice is a function of the shapes alone, so that two runs do the same arithmetic.
//
// bfloat16 is read and written as it is by the products and by the direct algorithm, at twice the rate of float32
// (avx512_bf16). Where Winograd in float32 is faster still (large 3x3 layers), for grouped layers, and on processors
// without such products, the layer is widened to float32 and its result rounded.
#include "tensor/conv.h"
#include "tensor/conv_epilogue.h"
#include "tensor/conv_naive_body.h"
#include "tensor/elementwise.h"
#include "tensor/onednn.h"
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

Key key_of(Call call, const ConvSizes& g, DType dtype, bool bias, bool residual, bool relu) {
  return {call,     g.n,       g.h,        g.w,      g.c,  g.k,      g.r,  g.s,
          g.stride, g.padding, g.dilation, g.groups, bias, residual, relu, static_cast<int64_t>(dtype)};
}

bool is_widened(const ConvSizes& g, DType dtype, winograd::Direction direction) {
  if (dtype != DType::bfloat16) return false;
  constexpr int64_t kDirectSpeed = 2;  // of bfloat16, against float32
  return !has_bfloat16_products() || g.groups > 1 || winograd::pays(g, direction, kDirectSpeed);
}

Tensor wide(Context& ctx, const Tensor& x) { return cast(ctx, x, DType::float32); }

// The library's words for a layer.
struct Layer {
  memory::desc x, w, dw, bias, y;                  // our layouts; dw is float32
  memory::desc any_x, any_w, any_dw, any_y;        // layouts of the library's choice
  memory::dims strides, dilations, before, after;  // `after` is negative where the last pixels are not read

  Layer(const ConvSizes& g, DType dtype)
      : x({g.n, g.c, g.h, g.w}, onednn::data_type_of(dtype), Tag::nhwc),
        w(filters(g, dtype, g.groups == 1 ? Tag::ohwi : Tag::abdec)),  // abdec: group, K / G, R, S, C / G
        dw(filters(g, DType::float32, g.groups == 1 ? Tag::ohwi : Tag::abdec)),
        bias({g.k}, memory::data_type::f32, Tag::x),
        y({g.n, g.k, g.p, g.q}, onednn::data_type_of(dtype), Tag::nhwc),
        any_x({g.n, g.c, g.h, g.w}, onednn::data_type_of(dtype), Tag::any),
        any_w(filters(g, dtype, Tag::any)),
        any_dw(filters(g, DType::float32, Tag::any)),
        any_y({g.n, g.k, g.p, g.q}, onednn::data_type_of(dtype), Tag::any),
        strides{g.stride, g.stride},
        dilations{g.dilation - 1, g.dilation - 1},
        before{g.padding, g.padding},
        after{(g.p - 1) * g.stride + g.dilation * (g.r - 1) + 1 - g.h - g.padding,
              (g.q - 1) * g.stride + g.dilation * (g.s - 1) + 1 - g.w - g.padding} {}

  static memory::desc filters(const ConvSizes& g, DType dtype, Tag tag) {
    if (g.groups == 1) return {{g.k, g.c, g.r, g.s}, onednn::data_type_of(dtype), tag};
    return {{g.groups, g.outputs(), g.inputs(), g.r, g.s}, onednn::data_type_of(dtype), tag};
  }
  dnnl::convolution_forward::primitive_desc forward(const dnnl::engine& engine, bool with_bias, bool residual,
                                                    bool relu) const {
    return {{dnnl::prop_kind::forward_training, dnnl::algorithm::convolution_direct, x, any_w,
             with_bias ? bias : memory::desc(), y, strides, dilations, before, after},
            onednn::make_attributes(residual, relu),
            engine};
  }
};

Cost cost_of(const ConvSizes& g, bool residual, DType dtype) {
  const double inputs = double(g.n * g.h * g.w * g.c), filters = double(g.k * g.r * g.s * g.inputs());
  const double outputs = double(g.n * g.p * g.q * g.k);
  return {double(size_of(dtype)) * (inputs + filters + outputs * (residual ? 2 : 1)), 2 * g.products()};
}

Plan plan_forward(const dnnl::engine& engine, const ConvSizes& g, DType dtype, bool bias, bool residual, bool relu) {
  Plan plan;
  plan.shapes = describe("conv2d", g);
  onednn::checked(plan.shapes, [&] {
    const Layer layer(g, dtype);
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

Plan plan_backward_data(const dnnl::engine& engine, const ConvSizes& g, DType dtype) {
  Plan plan;
  plan.shapes = describe("conv2d_backward_data", g);
  onednn::checked(plan.shapes, [&] {
    const Layer layer(g, dtype);
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
// at 240 and the conversions take 5 % (256 and 512 channels). Its bfloat16 reaches 375 as it is.
Plan plan_backward_filter(const dnnl::engine& engine, const ConvSizes& g, DType dtype) {
  Plan plan;
  plan.shapes = describe("conv2d_backward_filter", g);
  onednn::checked(plan.shapes, [&] {
    const Layer layer(g, dtype);
    const bool convert = dtype == DType::float32 && g.stride > 1 && g.c >= 64 && g.k >= 64;
    const dnnl::convolution_backward_weights::primitive_desc primitive(
        {dnnl::algorithm::convolution_direct, convert ? layer.any_x : layer.x, layer.any_dw,
         convert ? layer.any_y : layer.y, layer.strides, layer.dilations, layer.before, layer.after},
        onednn::make_attributes(false, false), engine, layer.forward(engine, false, false, false));
    plan.primitive = dnnl::convolution_backward_weights(primitive);
    plan.operands = {
        onednn::make_operand(engine, DNNL_ARG_SRC, layer.x, primitive.src_desc(), false),
        onednn::make_operand(engine, DNNL_ARG_DIFF_DST, layer.y, primitive.diff_dst_desc(), false),
        onednn::make_operand(engine, DNNL_ARG_DIFF_WEIGHTS, layer.dw, primitive.diff_weights_desc(), true)};
    plan.scratchpad = primitive.scratchpad_desc();
  });
  return plan;
}

}  // namespace

bool conv2d_onednn(Context& ctx, const Tensor& x, const Tensor& w, const ConvGeometry& geometry,
                   const ConvEpilogue& epilogue, const Tensor& y) {
  const ConvSizes g = sizes_of(x, w, y, geometry);
  const bool bias = epilogue.bias, residual = epilogue.residual, relu = epilogue.relu;
  const DType dtype = x.dtype();
  if (is_widened(g, dtype, winograd::Direction::forward)) {
    const Tensor wide_residual = residual ? wide(ctx, *epilogue.residual) : Tensor();
    const Tensor wide_y = Tensor::empty(ctx, y.shape());
    conv2d_onednn(ctx, wide(ctx, x), wide(ctx, w), geometry, {epilogue.bias, residual ? &wide_residual : nullptr, relu},
                  wide_y);
    cast_into(ctx, wide_y, y);
    return true;
  }
  Plans& plans = ctx.state<Plans>();
  if (disjoint::serves(g)) {
    disjoint::forward(ctx, plans, g, x, w, epilogue, y);
    return true;
  }
  if (dtype == DType::float32 && winograd::pays(g, winograd::Direction::forward)) {
    winograd::forward(ctx, plans, g, x, w, epilogue, y);
    return true;
  }
  KernelScope scope(ctx, "conv_forward_direct", cost_of(g, residual, dtype));
  const onednn::ThreadScope threads(ctx.threads());
  const Plan& plan = plans.find(key_of(kForward, g, dtype, bias, residual, relu), [&](const dnnl::engine& engine) {
    return plan_forward(engine, g, dtype, bias, residual, relu);
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
  const DType dtype = dy.dtype();
  if (is_widened(g, dtype, winograd::Direction::backward_data)) {
    const Tensor wide_dx = Tensor::empty(ctx, dx.shape());
    conv2d_backward_data_onednn(ctx, wide(ctx, dy), wide(ctx, w), geometry, epilogue, wide_dx);
    cast_into(ctx, wide_dx, dx);
    return true;
  }
  Plans& plans = ctx.state<Plans>();
  if (disjoint::serves(g)) {
    disjoint::backward_data(ctx, plans, g, dy, w, epilogue, dx);
    return true;
  }
  if (dtype == DType::float32 && winograd::pays(g, winograd::Direction::backward_data)) {
    winograd::backward_data(ctx, plans, g, dy, w, epilogue, dx);
    return true;
  }
  {
    KernelScope scope(ctx, "conv_backward_data_direct", cost_of(g, false, dtype));
    const onednn::ThreadScope threads(ctx.threads());
    const Plan& plan = plans.find(key_of(kBackwardData, g, dtype, false, false, false),
                                  [&](const dnnl::engine& engine) { return plan_backward_data(engine, g, dtype); });
    plans.run(ctx, plan, {dy.raw(), w.raw(), dx.raw()});
  }
  if (epilogue.bias || epilogue.relu) apply_conv_epilogue(ctx, dx, epilogue);
  return true;
}

bool conv2d_backward_filter_onednn(Context& ctx, const Tensor& x, const Tensor& dy, const ConvGeometry& geometry,
                                   const Tensor& dw) {
  const ConvSizes g = sizes_of(x, dw, dy, geometry);
  const DType dtype = x.dtype();
  if (is_widened(g, dtype, winograd::Direction::backward_filter)) {
    return conv2d_backward_filter_onednn(ctx, wide(ctx, x), wide(ctx, dy), geometry, dw);
  }
  Plans& plans = ctx.state<Plans>();
  if (disjoint::serves(g)) {
    disjoint::backward_filter(ctx, plans, g, x, dy, dw);
    return true;
  }
  if (dtype == DType::float32 && winograd::pays(g, winograd::Direction::backward_filter)) {
    winograd::backward_filter(ctx, plans, g, x, dy, dw);
    return true;
  }
  KernelScope scope(ctx, "conv_backward_filter_direct", cost_of(g, false, dtype));
  const onednn::ThreadScope threads(ctx.threads());
  const Plan& plan = plans.find(key_of(kBackwardFilter, g, dtype, false, false, false),
                                [&](const dnnl::engine& engine) { return plan_backward_filter(engine, g, dtype); });
  plans.run(ctx, plan, {x.raw(), dy.raw(), dw.raw()});
  return true;
}

}  // namespace tailseg
