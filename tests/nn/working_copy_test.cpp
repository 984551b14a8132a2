// The rounded copies that products read under mixed precision: made of the masters, after every step and every load.
#include <catch2/catch.hpp>

#include "nn/layers.h"
#include "nn/optimizer.h"
#include "tests/gradient_check.h"
#include "tests/typed_tensor.h"

using namespace tailseg;

namespace {

struct Net {
  ParameterStore store;
  Linear frozen, layer;
  explicit Net(Context& ctx, DType working = DType::bfloat16) : store(ctx, 4) {
    frozen = Linear(Scope(store, "frozen"), 24, 24, Initializer::normal(0.5), Initializer::constant(0.1));
    layer = Linear(Scope(store, "layer"), 24, 10, Initializer::normal(0.5), Initializer::constant(0.1));
    store.freeze("frozen.");
    store.set_working_dtype(working);
  }
  void check_copies(Context& ctx) const {
    for (const ParameterEntry& entry : store.entries()) {
      INFO(entry.name);
      const Tensor copy = entry.variable.value_as(ctx, DType::bfloat16);
      CHECK(to_doubles(ctx, copy) == rounded_to(ctx, DType::bfloat16, to_doubles(ctx, entry.variable.value())));
      CHECK(copy.same_memory(entry.variable.value_as(ctx, DType::bfloat16)));  // kept, not made on the spot
    }
  }
  void step(Context& ctx, Optimizer& optimizer, double rate) {
    store.clear_gradients();
    const Variable x(typed_tensor(ctx, DType::bfloat16, {5, 24}, gradient_check::values(120, 3)));
    const Variable y = layer(ctx, frozen(ctx, x, {.relu = true}), {.full = true});
    backward(ctx, y, Tensor::full(ctx, y.shape(), 1));
    optimizer.step(rate);
  }
};

}  // namespace

TEST_CASE("working copies follow the masters through steps and loads") {
  for (Context* ctx : devices()) {
    for (const OptimizerKind kind : {OptimizerKind::sgd, OptimizerKind::adamw}) {
      Net net(*ctx), other(*ctx);
      net.store.consolidate();
      other.store.consolidate();
      net.check_copies(*ctx);
      Optimizer optimizer(net.store, {.kind = kind});
      for (int i = 0; i < 3; ++i) {
        const std::vector<double> before = to_doubles(*ctx, net.layer.weight.value_as(*ctx, DType::bfloat16));
        net.step(*ctx, optimizer, 0.1);
        CHECK(to_doubles(*ctx, net.layer.weight.value_as(*ctx, DType::bfloat16)) != before);
        net.check_copies(*ctx);
      }
      other.store.load_state_dict(net.store.state_dict(), "a checkpoint");
      other.check_copies(*ctx);
      CHECK(other.store.values().to_vector<float>(*ctx) == net.store.values().to_vector<float>(*ctx));
    }
  }
}

TEST_CASE("a model that only predicts has copies too, once it is loaded") {
  Context ctx;
  Net trained(ctx), loaded(ctx);
  trained.store.consolidate();
  loaded.store.load_state_dict(trained.store.state_dict(), "a checkpoint");
  loaded.check_copies(ctx);
}

TEST_CASE("steps far smaller than bfloat16's grain add up in the masters") {
  Context ctx;
  Net net(ctx);
  net.store.consolidate();
  Optimizer optimizer(net.store, {.momentum = 0, .weight_decay = 0});
  const float before = net.layer.bias.value().to_vector<float>(ctx)[0];
  for (int i = 0; i < 100; ++i) net.step(ctx, optimizer, 1e-5);  // the bias's gradient is 5: 5e-5 a step
  CHECK(net.layer.bias.value().to_vector<float>(ctx)[0] == Approx(before - 5e-3).epsilon(1e-4));
}

TEST_CASE("the state dict holds masters, whatever the working dtype, and float32 has no copies") {
  Context ctx;
  Net mixed(ctx), plain(ctx, DType::float32);
  mixed.store.consolidate();
  plain.store.consolidate();
  for (const auto& [name, tensor] : plain.store.state_dict()) {
    CHECK(host_to_float32(mixed.store.state_dict().at(name), name) == host_to_float32(tensor, name));
  }
  CHECK(plain.layer.weight.value_as(ctx, DType::float32).same_memory(plain.layer.weight.value()));
  REQUIRE_THROWS_WITH(plain.store.set_working_dtype(DType::bfloat16), Catch::Contains("after consolidate"));
  ParameterStore exact(ctx, 1, DType::float64);
  REQUIRE_THROWS_WITH(exact.set_working_dtype(DType::bfloat16), Catch::Contains("float64"));
}
