// The backbones' names, shapes and sizes, as torchvision 0.14 counts them, and what they refuse.
#include "nn/resnet.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "tests/devices.h"

using namespace tailseg;
using Catch::Contains;

namespace {

struct Known {
  int depth;
  int64_t groups, width_per_group;
  int64_t trained, all;  // elements of torchvision's parameters and of its whole state dict, without fc and counters
  size_t names;
};

// sum(p.numel() for p in torchvision.models.<name>().parameters()) and so on, in torchvision 0.14.1.
const Known kKnown[] = {{18, 1, 64, 11'176'512, 11'186'112, 100}, {50, 32, 4, 22'979'904, 23'048'128, 265}};

ResNetOptions options_of(const Known& known) {
  ResNetOptions options;
  options.depth = known.depth;
  options.groups = known.groups;
  options.width_per_group = known.width_per_group;
  options.frozen_stages = -1;
  options.norm.kind = NormKind::batch;
  return options;
}

}  // namespace

TEST_CASE("ResNet and ResNeXt have as many parameters, of the same names, as torchvision's") {
  Context& ctx = cpu_context();
  for (const Known& known : kKnown) {
    INFO("depth " << known.depth << ", " << known.groups << " groups");
    ParameterStore store(ctx, 0);
    const ResNet net(Scope(store, ""), options_of(known));
    int64_t trained = 0, all = 0;
    for (const ParameterEntry& entry : store.entries()) {
      all += entry.variable.value().elements();
      if (!entry.buffer) trained += entry.variable.value().elements();
    }
    REQUIRE(trained == known.trained);
    REQUIRE(all == known.all);
    REQUIRE(store.entries().size() == known.names);
    REQUIRE(store.find("layer1.0.conv1.weight"));
    REQUIRE(store.find("layer4.0.downsample.1.running_var"));
    REQUIRE(net.channels()[3] == (known.depth >= 50 ? 2048 : 512));
    if (known.groups == 1) continue;
    const auto shape_in_file = [&](const char* name) {
      const Shape& memory = store.find(name)->variable.shape();
      return Shape{memory[0], memory[3], memory[1], memory[2]};
    };
    REQUIRE(shape_in_file("layer1.0.conv2.weight") == Shape{128, 4, 3, 3});
    REQUIRE(shape_in_file("layer2.0.conv2.weight") == Shape{256, 8, 3, 3});
    REQUIRE(shape_in_file("layer4.2.conv1.weight") == Shape{1024, 2048, 1, 1});
    REQUIRE(shape_in_file("layer4.2.conv3.weight") == Shape{2048, 1024, 1, 1});
  }
}

TEST_CASE("a small ResNeXt runs forward and back, at strides 4 to 32") {
  for (Context* ctx : devices()) {
    ResNetOptions options = options_of(kKnown[1]);
    options.width = 8;
    options.groups = 4;
    options.width_per_group = 32;
    ParameterStore store(*ctx, 1);
    const ResNet net(Scope(store, ""), options);
    store.consolidate();
    const auto out = net(*ctx, Variable(Tensor::full(*ctx, {2, 64, 96, 3}, 0.5)), true);
    for (size_t level = 0; level < 4; ++level) {
      REQUIRE(out[level].shape() == Shape{2, 16 >> level, 24 >> level, int64_t{32} << level});
    }
    backward(*ctx, out[3], Tensor::full(*ctx, out[3].shape(), 1));
    const ParameterEntry* grouped = store.find("layer1.0.conv2.weight");
    REQUIRE(store.state_dict().at("layer1.0.conv2.weight").shape == std::vector<int64_t>{16, 4, 3, 3});
    REQUIRE(grouped->variable.shape() == Shape{16, 3, 3, 4});
    for (const float g : grouped->variable.grad().to_vector<float>(*ctx)) REQUIRE(std::isfinite(g));
  }
}

TEST_CASE("frozen stages train nothing and use running statistics") {
  Context& ctx = cpu_context();
  ResNetOptions options = options_of(kKnown[0]);
  options.width = 8;
  options.frozen_stages = 2;
  ParameterStore store(ctx, 1);
  const ResNet net(Scope(store, "body"), options);
  store.consolidate();
  std::vector<float> pixels(2 * 64 * 64 * 3);
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<float>(std::sin(0.37 * double(i % 1013)));
  net(ctx, Variable(Tensor::from(ctx, {2, 64, 64, 3}, pixels)), true);
  for (const ParameterEntry& entry : store.entries()) {
    const bool frozen = entry.name.starts_with("body.conv1") || entry.name.starts_with("body.bn1") ||
                        entry.name.starts_with("body.layer1") || entry.name.starts_with("body.layer2");
    INFO(entry.name);
    if (!entry.buffer) REQUIRE(entry.variable.requires_grad() == !frozen);
    if (!entry.name.ends_with("running_mean")) continue;
    const std::vector<float> mean = entry.variable.value().to_vector<float>(ctx);
    REQUIRE((mean == std::vector<float>(mean.size(), 0)) == frozen);
  }
}

TEST_CASE("backbones that do not exist are refused") {
  Context& ctx = cpu_context();
  const auto make = [&](ResNetOptions options) {
    ParameterStore store(ctx, 0);
    const ResNet net(Scope(store, ""), options);
  };
  REQUIRE_THROWS_WITH(make({.depth = 52}), Contains("52") && Contains("18, 34, 50 or 101"));
  REQUIRE_THROWS_WITH(make({.depth = 18, .groups = 32}), Contains("ResNet-18") && Contains("groups 32"));
  REQUIRE_THROWS_WITH(make({.depth = 18, .frozen_stages = 5}), Contains("frozen_stages 5"));
  REQUIRE_THROWS_WITH(make({.depth = 50, .width = 0}), Contains("width 0"));
  ParameterStore store(ctx, 0);
  const ResNet net(Scope(store, ""), {.depth = 18, .width = 8});
  REQUIRE_THROWS_WITH(net(ctx, Variable(Tensor::zeros(ctx, {1, 32, 32, 4})), false), Contains("ResNet: images"));
}
