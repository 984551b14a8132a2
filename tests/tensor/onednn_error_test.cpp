// What oneDNN refuses comes back as an Error that names the call and its sizes, and the context works on.
#include <catch2/catch.hpp>

#ifdef TAILSEG_ONEDNN

#include "tensor/conv.h"
#include "tensor/matmul.h"
#include "tensor/onednn_matmul.h"

using namespace tailseg;
using Catch::Contains;

namespace {

void require_works(Context& ctx) {
  const Tensor ones = Tensor::full(ctx, {3, 3}, 1);
  REQUIRE(matmul(ctx, ones, ones).to_vector<float>(ctx) == std::vector<float>(9, 3.0f));
}

}  // namespace

TEST_CASE("a product that the library cannot plan names its sizes") {
  Context ctx;
  auto& plans = ctx.state<onednn::Plans>();
  const int64_t kept = plans.kept();
  float memory[16] = {};
  const auto multiply = [&] {
    onednn::multiply(ctx, plans, {.m = 2, .n = -3, .k = 4}, memory, memory, nullptr, memory);
  };
  REQUIRE_THROWS_AS(multiply(), Error);
  REQUIRE_THROWS_WITH(multiply(), Contains("oneDNN, matmul: [2, 4] times [4, -3]") && Contains("status"));
  REQUIRE(plans.kept() == kept);  // no half-made plan stays
  require_works(ctx);
}

TEST_CASE("a call that the library cannot run names its sizes") {
  Context ctx;
  auto& plans = ctx.state<onednn::Plans>();
  const Tensor x = Tensor::full(ctx, {2, 2}, 1), y = Tensor::zeros(ctx, {2, 2});
  const auto make = [](const dnnl::engine& engine) {
    const dnnl::memory::desc matrix({2, 2}, dnnl::memory::data_type::f32, dnnl::memory::format_tag::ab);
    const dnnl::matmul::primitive_desc primitive(dnnl::matmul::desc(matrix, matrix, matrix),
                                                 onednn::make_attributes(false, false), engine);
    onednn::Plan plan;
    plan.shapes = "a product without its second factor";
    plan.primitive = dnnl::matmul(primitive);
    plan.operands = {onednn::make_operand(engine, DNNL_ARG_SRC, matrix, matrix, false),
                     onednn::make_operand(engine, DNNL_ARG_DST, matrix, matrix, true)};
    plan.scratchpad = primitive.scratchpad_desc();
    return plan;
  };
  const onednn::Plan& plan = plans.find({99}, make);
  REQUIRE_THROWS_WITH(plans.run(ctx, plan, {x.raw(), y.raw()}),
                      Contains("oneDNN, a product without its second factor"));
  REQUIRE_THROWS_AS(plans.execute(plan, {x.raw(), y.raw()}, nullptr), Error);
  require_works(ctx);
}

TEST_CASE("whatever the library throws, checked() says what was being done; other errors pass as they are") {
  const auto library = [] {
    onednn::checked("conv2d: 3 x 3", [] { throw dnnl::error(dnnl_unimplemented, "no such"); });
  };
  REQUIRE_THROWS_WITH(library(), "oneDNN, conv2d: 3 x 3: no such (status 3)");
  REQUIRE_THROWS_WITH(onednn::checked("conv2d", [] { fail("ours"); }), "ours");
  REQUIRE(onednn::checked("sum", [] { return 7; }) == 7);
}

#endif
