#include "tensor/matmul.h"

#include "tensor/elementwise.h"
#include "tensor/onednn.h"
#include "tensor/onednn_matmul.h"
#include "tensor/profiler.h"

namespace tailseg {
namespace onednn {
namespace {

using dnnl::memory;
using Tag = memory::format_tag;

Plan plan_product(const dnnl::engine& engine, const Product& g) {
  Plan plan;
  plan.shapes = text("matmul: [", g.m, ", ", g.k, "]", g.transpose_a ? " (stored transposed)" : "", " times [", g.k,
                     ", ", g.n, "]", g.transpose_b ? " (stored transposed)" : "");
  checked(plan.shapes, [&] {
    const memory::desc a({g.m, g.k}, data_type_of(g.in), g.transpose_a ? Tag::ba : Tag::ab);
    const memory::desc b({g.k, g.n}, data_type_of(g.in), g.transpose_b ? Tag::ba : Tag::ab);
    const memory::desc bias = g.bias ? memory::desc({1, g.n}, memory::data_type::f32, Tag::ab) : memory::desc();
    const memory::desc out({g.m, g.n}, data_type_of(g.out), Tag::ab);
    const dnnl::matmul::primitive_desc primitive(dnnl::matmul::desc(a, b, bias, out), make_attributes(g.add, g.relu),
                                                 engine);
    plan.primitive = dnnl::matmul(primitive);
    plan.operands = {make_operand(engine, DNNL_ARG_SRC, a, a, false),
                     make_operand(engine, DNNL_ARG_WEIGHTS, b, b, false),
                     make_operand(engine, DNNL_ARG_DST, out, out, true)};
    if (g.bias) plan.operands.push_back(make_operand(engine, DNNL_ARG_BIAS, bias, bias, false));
    plan.scratchpad = primitive.scratchpad_desc();
  });
  return plan;
}

}  // namespace

void multiply(Context& ctx, Plans& plans, const Product& g, const void* a, const void* b, const float* bias,
              void* out) {
  const ThreadScope threads(ctx.threads());
  const Key key{4, g.m, g.n, g.k, g.transpose_a, g.transpose_b, g.bias, g.add, g.relu, int64_t(g.in), int64_t(g.out)};
  const Plan& plan = plans.find(key, [&](const dnnl::engine& engine) { return plan_product(engine, g); });
  std::vector<void*> pointers{const_cast<void*>(a), const_cast<void*>(b), out};
  if (g.bias) pointers.push_back(const_cast<float*>(bias));
  plans.run(ctx, plan, pointers);
}

}  // namespace onednn

// Where the processor multiplies no bfloat16: in float32.
void matmul_widened(Context& ctx, const Tensor& a, const Tensor& b, const MatmulOptions& options, const Tensor& out) {
  const Tensor wide_a = cast(ctx, a, DType::float32), wide_b = cast(ctx, b, DType::float32);
  const bool direct = out.dtype() == DType::float32;
  const Tensor to = direct ? out : Tensor::empty(ctx, out.shape());
  matmul_into(ctx, wide_a, wide_b, options, to);
  if (!direct) cast_into(ctx, to, out);
}

bool matmul_onednn(Context& ctx, const Tensor& a, const Tensor& b, const MatmulOptions& options, const Tensor& out) {
  if (a.dtype() == DType::bfloat16 && !has_bfloat16_products()) {
    matmul_widened(ctx, a, b, options, out);
    return true;
  }
  const onednn::Product product{
      .m = out.size(0),
      .n = out.size(1),
      .k = a.size(options.transpose_a ? 0 : 1),
      .transpose_a = options.transpose_a,
      .transpose_b = options.transpose_b,
      .bias = options.bias != nullptr,
      .relu = options.relu,
      .in = a.dtype(),
      .out = out.dtype(),
  };
  KernelScope scope(
      ctx, "matmul",
      {double(a.bytes() + b.bytes() + out.bytes()), 2.0 * double(product.m) * double(product.n) * double(product.k)});
  onednn::multiply(ctx, ctx.state<onednn::Plans>(), product, a.raw(), b.raw(),
                   options.bias ? options.bias->data<float>() : nullptr, out.raw());
  return true;
}

}  // namespace tailseg
