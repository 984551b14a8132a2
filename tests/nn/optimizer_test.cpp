#include "nn/optimizer.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "nn/optimizer_body.h"
#include "nn/schedule.h"
#include "tests/crew.h"
#include "tests/devices.h"

using namespace tailseg;

namespace {

// A store of one ordinary parameter (3 values) and one norm parameter (2), in float64.
struct Fixture {
  ParameterStore store{cpu_context(), 1, DType::float64};
  Variable w, norm;
  Fixture() {
    w = store.add_parameter("layer.weight", {3}, Initializer::constant(0.5));
    norm = store.add_parameter("bn.weight", {2}, Initializer::constant(1.0), FileOrder::same, 0, true);
    store.consolidate();
  }
  void set_gradients(const std::vector<double>& dw, const std::vector<double>& dn) {
    store.clear_gradients();
    w.accumulate(cpu_context(), Tensor::from(cpu_context(), {3}, dw));
    norm.accumulate(cpu_context(), Tensor::from(cpu_context(), {2}, dn));
  }
};

const std::vector<std::vector<double>> kGradients{{0.1, -2.0, 0.0}, {0.3, 1.0, -0.25}, {-0.7, 0.5, 4.0}};
const std::vector<std::vector<double>> kNormGradients{{0.2, 0.0}, {-0.4, 0.6}, {1.5, -1.0}};

}  // namespace

TEST_CASE("SGD follows the references' rule, with its own decay for norms") {
  Fixture f;
  Optimizer optimizer(f.store, {.momentum = 0.9, .weight_decay = 0.01, .weight_decay_norm = 0.0});
  std::vector<double> w(3, 0.5), v(3, 0.0), n(2, 1.0), vn(2, 0.0);
  const std::vector<double> rates{0.1, 0.05, 0.02};
  for (size_t t = 0; t < 3; ++t) {
    f.set_gradients(kGradients[t], kNormGradients[t]);
    optimizer.step(rates[t]);
    for (size_t i = 0; i < 3; ++i) {
      const double g = kGradients[t][i] + 0.01 * w[i];
      v[i] = t == 0 ? g : 0.9 * v[i] + g;  // PyTorch: the first buffer is the gradient itself
      w[i] -= rates[t] * v[i];
    }
    for (size_t i = 0; i < 2; ++i) {
      vn[i] = 0.9 * vn[i] + kNormGradients[t][i];
      n[i] -= rates[t] * vn[i];
    }
  }
  const auto got = f.w.value().to_vector<double>(cpu_context());
  const auto got_norm = f.norm.value().to_vector<double>(cpu_context());
  for (size_t i = 0; i < 3; ++i) REQUIRE(got[i] == Approx(w[i]).epsilon(1e-14));
  for (size_t i = 0; i < 2; ++i) REQUIRE(got_norm[i] == Approx(n[i]).epsilon(1e-14));
}

TEST_CASE("AdamW follows its paper") {
  Fixture f;
  Optimizer optimizer(f.store, {.kind = OptimizerKind::adamw, .weight_decay = 0.1, .weight_decay_norm = 0.1});
  std::vector<double> w(3, 0.5), m(3, 0.0), v(3, 0.0);
  for (size_t t = 0; t < 3; ++t) {
    f.set_gradients(kGradients[t], kNormGradients[t]);
    optimizer.step(0.01);
    for (size_t i = 0; i < 3; ++i) {
      m[i] = 0.9 * m[i] + 0.1 * kGradients[t][i];
      v[i] = 0.999 * v[i] + 0.001 * kGradients[t][i] * kGradients[t][i];
      const double step = static_cast<double>(t) + 1;
      const double mhat = m[i] / (1 - std::pow(0.9, step)), vhat = v[i] / (1 - std::pow(0.999, step));
      w[i] = w[i] - 0.01 * 0.1 * w[i] - 0.01 * mhat / (std::sqrt(vhat) + 1e-8);
    }
  }
  const auto got = f.w.value().to_vector<double>(cpu_context());
  for (size_t i = 0; i < 3; ++i) REQUIRE(got[i] == Approx(w[i]).epsilon(1e-12));
}

TEST_CASE("clipping scales all gradients by one factor and reports the norm before it") {
  Fixture f;
  Optimizer optimizer(f.store, {.momentum = 0, .weight_decay = 0, .weight_decay_norm = 0, .clip_norm = 1.0});
  f.set_gradients({3, 0, 0}, {0, 4});
  optimizer.step(1.0);
  REQUIRE(optimizer.gradient_norm().to_vector<double>(cpu_context())[0] == Approx(5.0).epsilon(1e-12));
  REQUIRE(f.w.value().to_vector<double>(cpu_context())[0] == Approx(0.5 - 3.0 / (5.0 + 1e-6)).epsilon(1e-12));
  REQUIRE(f.norm.value().to_vector<double>(cpu_context())[1] == Approx(1.0 - 4.0 / (5.0 + 1e-6)).epsilon(1e-12));
}

TEST_CASE("a parameter that no gradient reached still decays and keeps its momentum") {
  Fixture f;
  Optimizer optimizer(f.store, {.momentum = 0.5, .weight_decay = 0.1, .weight_decay_norm = 0});
  f.set_gradients({1, 1, 1}, {0, 0});
  optimizer.step(0.1);  // v = 1 + 0.05, w = 0.5 - 0.105
  f.store.clear_gradients();
  optimizer.step(0.1);  // g = 0.1 * 0.395, v = 0.525 + 0.0395
  REQUIRE(f.w.value().to_vector<double>(cpu_context())[0] == Approx(0.395 - 0.1 * (0.525 + 0.0395)).epsilon(1e-12));
}

TEST_CASE("optimizer state survives a round trip and then gives the same bits") {
  ParameterStore a{cpu_context(), 1}, b{cpu_context(), 1};
  const Variable wa = a.add_parameter("w", {5}, Initializer::normal(1)),
                 wb = b.add_parameter("w", {5}, Initializer::normal(1));
  a.consolidate();
  b.consolidate();
  Optimizer first(a, {}), second(b, {});
  auto step = [](Optimizer& optimizer, ParameterStore& store, const Variable& w, float g) {
    store.clear_gradients();
    w.accumulate(cpu_context(), Tensor::full(cpu_context(), {5}, g));
    optimizer.step(0.1);
  };
  step(first, a, wa, 0.3f);
  b.load_state_dict(a.state_dict(), "test");
  second.load_state_dict(first.state_dict(), first.steps(), "test");
  step(first, a, wa, -0.2f);
  step(second, b, wb, -0.2f);
  REQUIRE(wa.value().to_vector<float>(cpu_context()) == wb.value().to_vector<float>(cpu_context()));
  REQUIRE_THROWS_WITH(second.load_state_dict({}, 1, "other.safetensors"), Catch::Contains("optimizer.velocity"));
}

TEST_CASE("the optimizers' bodies give the same on a crew") {
  std::vector<double> w(7, 0.5), w2 = w, g(7, 0.25), v(7, 0.1), v2 = v, step{0.1, 0.5, 1, 1};
  const SgdStep<double> solo{w.data(), g.data(), v.data(), step.data(), 0.9, 0.01};
  for (int64_t i = 0; i < 7; ++i) solo(Solo{}, i);
  std::vector<double> partial(1), expected{7 * 0.0625};
  crew::run(4, 1, SquaredNormChunk<double>{g.data(), partial.data(), 7});
  REQUIRE(partial[0] == Approx(expected[0]).epsilon(1e-14));
  REQUIRE(w[0] == Approx(0.5 - 0.1 * (0.9 * 0.1 + 0.5 * 0.25 + 0.01 * 0.5)).epsilon(1e-14));
}

TEST_CASE("the learning rate warms up linearly and falls at the milestones") {
  const Schedule s{
      .base_lr = 0.02, .warmup_steps = 500, .warmup_factor = 0.001, .milestones = {600, 900}, .gamma = 0.1};
  REQUIRE(s.at(0) == Approx(0.02 * 0.001));
  REQUIRE(s.at(250) == Approx(0.02 * (1 - 0.5 * 0.999)));
  REQUIRE(s.at(500) == Approx(0.02));
  REQUIRE(s.at(599) == Approx(0.02));
  REQUIRE(s.at(600) == Approx(0.002));
  REQUIRE(s.at(900) == Approx(0.0002));
  const Schedule c{.kind = ScheduleKind::cosine, .base_lr = 1, .warmup_steps = 0, .total_steps = 100};
  REQUIRE(c.at(0) == Approx(1));
  REQUIRE(c.at(50) == Approx(0.5));
  REQUIRE(c.at(100) == Approx(0).margin(1e-12));
}
