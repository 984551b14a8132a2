#include "nn/parameter.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "nn/layers.h"
#include "tests/devices.h"

using namespace tailseg;

namespace {

std::vector<float> ramp(int64_t n) {
  std::vector<float> x(static_cast<size_t>(n));
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i);
  return x;
}

}  // namespace

TEST_CASE("files keep filters as O, I, H, W") {
  ParameterStore store(cpu_context(), 0);
  const Variable w = store.add_parameter("w", {2, 3, 1, 4}, Initializer::constant(0), FileOrder::filters);
  REQUIRE(store.state_dict().at("w").shape == std::vector<int64_t>{2, 4, 3, 1});
  store.load_state_dict({{"w", host_from_float32({2, 4, 3, 1}, ramp(24))}}, "test");
  const auto memory = w.value().to_vector<float>(cpu_context());
  // File element (k, c, r, s) = k*12 + c*3 + r sits in memory at (k, r, s, c).
  for (int k = 0; k < 2; ++k) {
    for (int r = 0; r < 3; ++r) {
      for (int c = 0; c < 4; ++c) REQUIRE(memory[size_t((k * 3 + r) * 4 + c)] == float(k * 12 + c * 3 + r));
    }
  }
  REQUIRE(host_to_float32(store.state_dict().at("w"), "w") == ramp(24));
}

TEST_CASE("files flatten a feature map as C, H, W") {
  ParameterStore store(cpu_context(), 0);
  const Variable w = store.add_parameter("fc6.weight", {2, 12}, Initializer::constant(0), FileOrder::flattened, 3);
  store.load_state_dict({{"fc6.weight", host_from_float32({2, 12}, ramp(24))}}, "test");
  const auto memory = w.value().to_vector<float>(cpu_context());
  for (int row = 0; row < 2; ++row) {
    for (int pixel = 0; pixel < 4; ++pixel) {
      for (int c = 0; c < 3; ++c) REQUIRE(memory[size_t(row * 12 + pixel * 3 + c)] == float(row * 12 + c * 4 + pixel));
    }
  }
  REQUIRE(host_to_float32(store.state_dict().at("fc6.weight"), "w") == ramp(24));
}

TEST_CASE("initial values depend on seed and name only") {
  auto values = [](uint64_t seed, bool another_first) {
    ParameterStore store(cpu_context(), seed);
    if (another_first) store.add_parameter("other", {10}, Initializer::normal(1));
    return store.add_parameter("w", {100}, Initializer::normal(1)).value().to_vector<float>(cpu_context());
  };
  REQUIRE(values(3, false) == values(3, true));
  REQUIRE(values(3, false) != values(4, false));
}

TEST_CASE("initialisers have the moments of METHODS 5.4") {
  const Shape shape{64, 3, 3, 32};
  auto spread = [&](const Initializer& init) {
    ParameterStore store(cpu_context(), 7);
    const auto v = store.add_parameter("w", shape, init).value().to_vector<float>(cpu_context());
    double sum = 0, squares = 0, largest = 0;
    for (float x : v) {
      sum += x;
      squares += double(x) * x;
      largest = std::max(largest, std::abs(double(x)));
    }
    REQUIRE(std::abs(sum / double(v.size())) < 0.01);
    return std::pair{std::sqrt(squares / double(v.size())), largest};
  };
  REQUIRE(spread(Initializer::kaiming_normal_fan_out(shape)).first == Approx(std::sqrt(2.0 / (64 * 9))).epsilon(0.02));
  const double xavier = std::sqrt(6.0 / (64 * 9 + 32 * 9));
  REQUIRE(spread(Initializer::xavier_uniform(shape)).second <= xavier);
  REQUIRE(spread(Initializer::xavier_uniform(shape)).first == Approx(xavier / std::sqrt(3.0)).epsilon(0.02));
  REQUIRE(spread(Initializer::kaiming_uniform_fan_in(shape)).second <= std::sqrt(3.0 / (32 * 9)));
  REQUIRE(spread(Initializer::pytorch_default(100)).second <= 0.1);
}

TEST_CASE("the arena holds what is trained, norms last, and gradients land in it") {
  Context& ctx = cpu_context();
  ParameterStore store(ctx, 0);
  const Variable norm = store.add_parameter("bn.weight", {3}, Initializer::constant(1), FileOrder::same, 0, true);
  const Variable frozen = store.add_parameter("stem.weight", {5}, Initializer::constant(2));
  const Variable w = store.add_parameter("w", {2, 2}, Initializer::constant(3));
  store.freeze("stem.");
  store.consolidate();
  REQUIRE(store.norm_begin() == 16);
  REQUIRE(store.trained_elements() == 32);
  REQUIRE_FALSE(frozen.requires_grad());
  REQUIRE(w.value().raw() == store.values().raw());
  w.accumulate(ctx, Tensor::full(ctx, {2, 2}, 7));
  w.accumulate(ctx, Tensor::full(ctx, {2, 2}, 1));
  const auto gradients = store.gradients().to_vector<float>(ctx);
  for (size_t i = 0; i < 4; ++i) REQUIRE(gradients[i] == 8);
  store.complete_gradients();
  REQUIRE(norm.grad().to_vector<float>(ctx) == std::vector<float>{0, 0, 0});
}

TEST_CASE("a state dict of another model is refused with names and shapes") {
  ParameterStore store(cpu_context(), 0);
  store.add_parameter("w", {2, 3}, Initializer::constant(0));
  store.add_parameter("b", {2}, Initializer::constant(0));
  REQUIRE_THROWS_WITH(store.load_state_dict({{"w", host_from_float32({3, 2}, ramp(6))}}, "weights.safetensors"),
                      Catch::Contains("weights.safetensors") && Catch::Contains("w: file [3, 2], model [2, 3]"));
  const auto report = store.load_state_dict(
      {{"w", host_from_float32({2, 3}, ramp(6))}, {"extra", host_from_float32({1}, {1})}}, "weights.safetensors");
  REQUIRE(report.missing == std::vector<std::string>{"b"});
  REQUIRE(report.unexpected == std::vector<std::string>{"extra"});
  REQUIRE_THROWS_WITH(store.add_parameter("w", {1}, Initializer::constant(0)), Catch::Contains("named w"));
}

TEST_CASE("a norm in training and its frozen twin agree when the statistics do") {
  Context& ctx = cpu_context();
  ParameterStore store(ctx, 5);
  const Scope scope(store);
  const ConvNorm layer(scope, "conv", "bn", 3, 4, 3, {1, 1, 1}, {.kind = NormKind::batch, .momentum = 1.0});
  std::vector<float> pixels(2 * 6 * 5 * 3);
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = std::sin(static_cast<float>(i));
  const Variable x(Tensor::from(ctx, {2, 6, 5, 3}, pixels));
  // With momentum 1 the running mean becomes the batch's, and the running variance its unbiased variance.
  const auto trained = layer(ctx, x, true, false).value().to_vector<float>(ctx);
  const auto frozen = layer(ctx, x, false, false).value().to_vector<float>(ctx);
  const float biased = std::sqrt(60.f / 59.f);
  for (size_t i = 0; i < trained.size(); ++i) REQUIRE(trained[i] == Approx(frozen[i] * biased).margin(2e-4));
}
