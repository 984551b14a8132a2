// Layers with float32 parameters and bfloat16 features: values and gradients against the same layer in float64 on the
// same rounded numbers, whose own gradients gradient_check confirms; and which dtype each of them has.
//
// Tolerance a + r |x|: an element passes up to three roundings of 2^-9 (filters folded, result or masked gradient,
// product), r = 2^-7; a is r times the largest element, for sums in which much cancels.
#include <catch2/catch.hpp>
#include <cmath>

#include "autograd/convolution.h"
#include "autograd/linear.h"
#include "tensor/elementwise.h"
#include "tests/gradient_check.h"
#include "tests/typed_tensor.h"

using namespace tailseg;

namespace {

// Inputs: features first, then parameters. Every number is one that bfloat16 holds.
struct Layer {
  std::vector<Shape> features, parameters;
  std::function<Variable(Context&, const std::vector<Variable>&)> run;
  bool full = false;
  unsigned frozen = 0;  // a bit for each parameter that is not trained
};

struct Outcome {
  Tensor y;
  std::vector<Tensor> gradients;
};

Outcome outcome(Context& ctx, const Layer& layer, DType dtype) {
  std::vector<Variable> inputs;
  const auto add = [&](const Shape& shape, DType type, bool trained) {
    const std::vector<double> values = gradient_check::values(shape.elements(), 11 + inputs.size());
    inputs.emplace_back(typed_tensor(ctx, type, shape, rounded_to(ctx, DType::bfloat16, values)), trained);
  };
  for (const Shape& shape : layer.features) add(shape, dtype, true);
  for (size_t i = 0; i < layer.parameters.size(); ++i) {
    add(layer.parameters[i], compute_dtype(dtype), (layer.frozen >> i & 1) == 0);
  }
  const Variable y = layer.run(ctx, inputs);
  const DType result = layer.full ? compute_dtype(dtype) : dtype;
  REQUIRE(y.value().dtype() == result);
  backward(ctx, y,
           typed_tensor(ctx, result, y.shape(),
                        rounded_to(ctx, DType::bfloat16, gradient_check::values(y.shape().elements(), 5))));
  Outcome out{y.value(), {}};
  for (const Variable& input : inputs) {
    if (!input.requires_grad()) continue;
    REQUIRE(input.grad().dtype() == input.value().dtype());
    out.gradients.push_back(input.grad());
  }
  return out;
}

void check_near(Context& ctx, const Tensor& got, const Tensor& expected) {
  const std::vector<double> a = to_doubles(ctx, got), b = to_doubles(cpu_context(), expected);
  double largest = 0;
  for (const double x : b) largest = std::max(largest, std::abs(x));
  REQUIRE(a.size() == b.size());
  int64_t wrong = 0;
  for (size_t i = 0; i < a.size(); ++i) wrong += !(std::abs(a[i] - b[i]) <= (largest + std::abs(b[i])) / 128);
  CHECK(wrong == 0);
}

void compare(const Layer& layer) {
  const Outcome expected = outcome(cpu_context(), layer, DType::float64);
  for (Context* ctx : devices()) {
    INFO(ctx->device().name());
    const Outcome got = outcome(*ctx, layer, DType::bfloat16);
    check_near(*ctx, got.y, expected.y);
    for (size_t i = 0; i < got.gradients.size(); ++i) {
      INFO("gradient " << i);
      check_near(*ctx, got.gradients[i], expected.gradients[i]);
    }
  }
}

using Inputs = std::vector<Variable>;

}  // namespace

TEST_CASE("a bfloat16 convolution with a frozen norm, a bias or a residual has float32 gradients of its parameters") {
  const auto with_norm = [](Context& c, const Inputs& in) {
    const DType dtype = in[3].value().dtype();
    const Tensor mean = Tensor::full(c, {24}, 0.25, dtype), var = Tensor::full(c, {24}, 3, dtype);
    return convolution(c, in[0], in[2], {1, 1, 1}, {.norm = {in[3], in[4], mean, var, 1}, .residual = in[1]});
  };
  for (unsigned frozen = 0; frozen < 8; ++frozen) {
    INFO("filters, gamma, beta frozen: " << (frozen & 1) << (frozen >> 1 & 1) << (frozen >> 2));
    compare({{{2, 9, 7, 16}, {2, 9, 7, 24}}, {{24, 3, 3, 16}, {24}, {24}}, with_norm, false, frozen});
  }
  compare({{{1, 9, 7, 16}}, {{24, 3, 3, 16}, {24}}, [](Context& c, const Inputs& in) {
             return convolution(c, in[0], in[1], {2, 1, 1}, {.bias = in[2]});
           }});
}

TEST_CASE("a bfloat16 transposed convolution has float32 gradients of its parameters") {
  compare({{{3, 7, 7, 16}}, {{16, 2, 2, 32}, {32}}, [](Context& c, const Inputs& in) {
             return transposed_convolution(c, in[0], in[1], {2, 0, 1}, in[2]);
           }});
}

TEST_CASE("a bfloat16 linear layer has float32 gradients of its parameters, and a full result where asked") {
  for (const bool full : {false, true}) {
    compare({{{40, 65}},
             {{33, 65}, {33}},
             [full](Context& c, const Inputs& in) { return linear(c, in[0], in[1], in[2], {.full = full}); },
             full});
  }
}

TEST_CASE("a full result is not rounded: it tells apart what bfloat16 cannot") {
  Context ctx;
  const Variable b(Tensor::full(ctx, {2}, 256));
  const Variable w(Tensor::from(ctx, {2, 1}, std::vector<float>{0, 1}));
  const Variable one(Tensor::full(ctx, {1, 1}, 1, DType::bfloat16));
  CHECK(linear(ctx, one, w, b, {.full = true}).value().to_vector<float>(ctx) == std::vector<float>{256, 257});
  CHECK(to_doubles(ctx, linear(ctx, one, w, b).value()) == std::vector<double>{256, 256});  // 257 needs 9 bits
}

TEST_CASE("products read the working copy where there is one, and gradients must have the value's dtype") {
  Context ctx;
  const Variable w(Tensor::full(ctx, {1, 1}, 3), true), x(Tensor::full(ctx, {1, 1}, 2, DType::bfloat16));
  CHECK(to_doubles(ctx, linear(ctx, x, w, {}).value())[0] == 6);  // rounded on the spot
  w.set_working(Tensor::full(ctx, {1, 1}, 5, DType::bfloat16));
  CHECK(to_doubles(ctx, linear(ctx, x, w, {}).value())[0] == 10);
  CHECK(w.value_as(ctx, DType::float32).same_memory(w.value()));
  REQUIRE_THROWS_WITH(w.accumulate(ctx, Tensor::zeros(ctx, {1, 1}, DType::bfloat16)),
                      Catch::Contains("bfloat16") && Catch::Contains("float32"));
}
