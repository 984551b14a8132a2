#include "detection/fpn.h"

#include "autograd/max_pool.h"
#include "autograd/upsample.h"
#include "tensor/profiler.h"

namespace tailseg {

Fpn::Fpn(const Scope& scope, const std::array<int64_t, 4>& in_channels, const FpnOptions& options) {
  auto init = [&](const Shape& shape) {
    return options.kaiming_init ? Initializer::kaiming_uniform_fan_in(shape) : Initializer::xavier_uniform(shape);
  };
  const int64_t out = options.channels;
  for (size_t i = 0; i < 4; ++i) {
    inner_[i] = Conv(scope.sub(text("inner_blocks.", i, ".0")), in_channels[i], out, 1,
                     {.geometry = {}, .weight_init = init({out, 1, 1, in_channels[i]})});
  }
  for (size_t i = 0; i < 4; ++i) {
    layer_[i] = Conv(scope.sub(text("layer_blocks.", i, ".0")), out, out, 3,
                     {.geometry = {1, 1, 1}, .weight_init = init({out, 3, 3, out})});
  }
}

std::vector<Variable> Fpn::operator()(Context& ctx, const std::array<Variable, 4>& features) const {
  SpanScope span(ctx, "forward/fpn");
  std::vector<Variable> out(5);
  Variable merged = inner_[3](ctx, features[3]);
  out[3] = layer_[3](ctx, merged);
  for (size_t i = 3; i-- > 0;) {
    merged = upsample_add(ctx, inner_[i](ctx, features[i]), merged);
    out[i] = layer_[i](ctx, merged);
  }
  out[4] = max_pool(ctx, out[3], 1, 2, 0);
  return out;
}

}  // namespace tailseg
