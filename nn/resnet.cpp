#include "nn/resnet.h"

#include "autograd/max_pool.h"
#include "tensor/profiler.h"

namespace tailseg {
namespace {

struct Plan {
  std::array<int, 4> blocks;
  bool bottleneck;
};

Plan plan_of(int depth) {
  switch (depth) {
    case 18:
      return {{2, 2, 2, 2}, false};
    case 34:
      return {{3, 4, 6, 3}, false};
    case 50:
      return {{3, 4, 6, 3}, true};
    case 101:
      return {{3, 4, 23, 3}, true};
    default:
      fail("ResNet of depth ", depth, ": expected 18, 34, 50 or 101");
  }
}

}  // namespace

ResNet::ResNet(const Scope& scope, const ResNetOptions& options) : options_(options) {
  const Plan plan = plan_of(options.depth);
  TS_CHECK(plan.bottleneck || (options.groups == 1 && options.width_per_group == 64), "ResNet-", options.depth,
           " has no bottlenecks: groups ", options.groups, " and width_per_group ", options.width_per_group,
           " need depth 50 or 101");
  TS_CHECK(options.groups > 0 && options.width > 0 && options.width * options.width_per_group / 64 > 0,
           "ResNet: width ", options.width, ", groups ", options.groups, ", width_per_group ", options.width_per_group);
  stem_ = ConvNorm(scope, "conv1", "bn1", 3, options.width, 7, {2, 3, 1}, options.norm);
  int64_t in = options.width;
  for (size_t stage = 0; stage < 4; ++stage) {
    const int64_t planes = options.width << stage;
    const int64_t width = plan.bottleneck ? planes * options.width_per_group / 64 * options.groups : planes;
    const int64_t out = plan.bottleneck ? planes * 4 : planes;
    for (int i = 0; i < plan.blocks[stage]; ++i) {
      const Scope here = scope.sub(text("layer", stage + 1, ".", i));
      const int64_t stride = (stage > 0 && i == 0) ? 2 : 1;
      Block block;
      if (plan.bottleneck) {
        const int64_t first = options.stride_in_1x1 ? stride : 1, middle = options.stride_in_1x1 ? 1 : stride;
        block.convs.emplace_back(here, "conv1", "bn1", in, width, 1, ConvGeometry{first, 0, 1}, options.norm);
        block.convs.emplace_back(here, "conv2", "bn2", width, width, 3, ConvGeometry{middle, 1, 1, options.groups},
                                 options.norm);
        block.convs.emplace_back(here, "conv3", "bn3", width, out, 1, ConvGeometry{1, 0, 1}, options.norm);
      } else {
        block.convs.emplace_back(here, "conv1", "bn1", in, width, 3, ConvGeometry{stride, 1, 1}, options.norm);
        block.convs.emplace_back(here, "conv2", "bn2", width, width, 3, ConvGeometry{1, 1, 1}, options.norm);
      }
      if (stride != 1 || in != out) {
        block.downsample.emplace(here, "downsample.0", "downsample.1", in, out, 1, ConvGeometry{stride, 0, 1},
                                 options.norm);
      }
      stages_[stage].push_back(std::move(block));
      in = out;
    }
    channels_[stage] = out;
  }
  freeze(scope);
}

void ResNet::freeze(const Scope& scope) const {
  TS_CHECK(options_.frozen_stages >= -1 && options_.frozen_stages <= 4, "frozen_stages ", options_.frozen_stages,
           ": expected -1 to 4");
  if (options_.frozen_stages < 0) return;
  scope.store().freeze(scope.full("conv1."));
  scope.store().freeze(scope.full("bn1."));
  for (int stage = 1; stage <= options_.frozen_stages; ++stage)
    scope.store().freeze(scope.full(text("layer", stage, ".")));
}

Variable ResNet::run_block(Context& ctx, const Block& block, const Variable& x, bool training) const {
  const Variable shortcut = block.downsample ? (*block.downsample)(ctx, x, training, false) : x;
  Variable y = x;
  for (size_t i = 0; i + 1 < block.convs.size(); ++i) y = block.convs[i](ctx, y, training, true);
  return block.convs.back()(ctx, y, training, true, shortcut);
}

std::array<Variable, 4> ResNet::operator()(Context& ctx, const Variable& images, bool training) const {
  SpanScope span(ctx, "forward/backbone");
  check_shape("ResNet: images", images.value(), {-1, -1, -1, 3});
  const int frozen = options_.frozen_stages;
  Variable x = max_pool(ctx, stem_(ctx, images, training && frozen < 0, true), 3, 2, 1);
  std::array<Variable, 4> out;
  for (size_t stage = 0; stage < 4; ++stage) {
    const bool trains = training && static_cast<int>(stage) + 1 > frozen;
    for (const Block& block : stages_[stage]) x = run_block(ctx, block, x, trains);
    out[stage] = x;
  }
  return out;
}

}  // namespace tailseg
