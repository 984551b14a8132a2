#include "tensor/matmul.h"

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
    const auto f32 = memory::data_type::f32;
    const memory::desc a({g.m, g.k}, f32, g.transpose_a ? Tag::ba : Tag::ab);
    const memory::desc b({g.k, g.n}, f32, g.transpose_b ? Tag::ba : Tag::ab);
    const memory::desc bias = g.bias ? memory::desc({1, g.n}, f32, Tag::ab) : memory::desc();
    const memory::desc out({g.m, g.n}, f32, Tag::ab);
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

void multiply(Context& ctx, Plans& plans, const Product& g, const float* a, const float* b, const float* bias,
              float* out) {
  const ThreadScope threads(ctx.threads());
  const Key key{4, g.m, g.n, g.k, g.transpose_a, g.transpose_b, g.bias, g.add, g.relu};
  const Plan& plan = plans.find(key, [&](const dnnl::engine& engine) { return plan_product(engine, g); });
  std::vector<void*> pointers{const_cast<float*>(a), const_cast<float*>(b), out};
  if (g.bias) pointers.push_back(const_cast<float*>(bias));
  plans.run(ctx, plan, pointers);
}

}  // namespace onednn

bool matmul_onednn(Context& ctx, const Tensor& a, const Tensor& b, const MatmulOptions& options, const Tensor& out) {
  const onednn::Product product{
      .m = out.size(0),
      .n = out.size(1),
      .k = a.size(options.transpose_a ? 0 : 1),
      .transpose_a = options.transpose_a,
      .transpose_b = options.transpose_b,
      .bias = options.bias != nullptr,
      .relu = options.relu,
  };
  KernelScope scope(
      ctx, "matmul",
      {double(a.bytes() + b.bytes() + out.bytes()), 2.0 * double(product.m) * double(product.n) * double(product.k)});
  onednn::multiply(ctx, ctx.state<onednn::Plans>(), product, a.data<float>(), b.data<float>(),
                   options.bias ? options.bias->data<float>() : nullptr, out.data<float>());
  return true;
}

}  // namespace tailseg
