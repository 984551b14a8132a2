#include "tensor/matmul.h"

#include "tensor/onednn_plan.h"

namespace tailseg {
namespace {

using dnnl::memory;
using Tag = memory::format_tag;

struct Product {
  int64_t m, n, k;
  bool transpose_a, transpose_b, bias, relu;

  std::string text() const {
    return tailseg::text("matmul ", m, " x ", k, " times ", k, " x ", n, transpose_a ? ", a transposed" : "",
                         transpose_b ? ", b transposed" : "");
  }
  onednn::Key key() const { return {4, m, n, k, transpose_a, transpose_b, bias, relu}; }
};

onednn::Plan make_plan(const dnnl::engine& engine, const Product& g) {
  return onednn::checked(g.text(), [&] {
    const auto f32 = memory::data_type::f32;
    const memory::desc a({g.m, g.k}, f32, g.transpose_a ? Tag::ba : Tag::ab);
    const memory::desc b({g.k, g.n}, f32, g.transpose_b ? Tag::ba : Tag::ab);
    const memory::desc bias = g.bias ? memory::desc({1, g.n}, f32, Tag::ab) : memory::desc();
    const memory::desc out({g.m, g.n}, f32, Tag::ab);
    const dnnl::matmul::desc description(a, b, bias, out);
    const dnnl::matmul::primitive_desc primitive(description, onednn::make_attributes(false, g.relu), engine);
    onednn::Plan plan;
    plan.name = "matmul_onednn";
    plan.shapes = g.text();
    plan.primitive = dnnl::matmul(primitive);
    plan.operands = {
        onednn::make_operand(engine, DNNL_ARG_SRC, a, primitive.src_desc(), false),
        onednn::make_operand(engine, DNNL_ARG_WEIGHTS, b, primitive.weights_desc(), false),
        onednn::make_operand(engine, DNNL_ARG_DST, out, primitive.dst_desc(), true),
    };
    if (g.bias) plan.operands.push_back(onednn::make_operand(engine, DNNL_ARG_BIAS, bias, bias, false));
    plan.scratchpad = primitive.scratchpad_desc();
    plan.cost = {4.0 * (double(g.m) * double(g.k) + double(g.k) * double(g.n) + double(g.m) * double(g.n)),
                 2.0 * double(g.m) * double(g.n) * double(g.k)};
    return plan;
  });
}

}  // namespace

bool matmul_onednn(Context& ctx, const Tensor& a, const Tensor& b, const MatmulOptions& options, const Tensor& out) {
  const Product g{out.size(0),         out.size(1),         a.size(options.transpose_a ? 0 : 1),
                  options.transpose_a, options.transpose_b, options.bias != nullptr,
                  options.relu};
  const onednn::ThreadScope threads(ctx.threads());
  auto& plans = ctx.state<onednn::Plans>();
  onednn::Plan& plan = plans.find(g.key(), [&](const dnnl::engine& engine) { return make_plan(engine, g); });
  std::vector<void*> pointers{a.raw(), b.raw(), out.raw()};
  if (options.bias) pointers.push_back(options.bias->raw());
  plans.run(ctx, plan, pointers);
  return true;
}

}  // namespace tailseg
