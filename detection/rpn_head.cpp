#include "detection/rpn_head.h"

#include "autograd/arithmetic.h"
#include "tensor/profiler.h"

namespace tailseg {

RpnHead::RpnHead(const Scope& scope, int64_t channels, int64_t anchors_per_cell) : anchors_(anchors_per_cell) {
  const Initializer normal = Initializer::normal(0.01);  // METHODS 5.2: all three layers
  conv_ = Conv(scope.sub("conv.0.0"), channels, channels, 3, {.geometry = {1, 1, 1}, .weight_init = normal});
  objectness_ = Conv(scope.sub("cls_logits"), channels, anchors_, 1, {.geometry = {}, .weight_init = normal});
  deltas_ = Conv(scope.sub("bbox_pred"), channels, 4 * anchors_, 1, {.geometry = {}, .weight_init = normal});
  const int64_t padding = packed_channels() - 5 * anchors_;
  if (padding > 0) {
    Context& ctx = scope.store().context();
    padding_weight_ = Variable(Tensor::zeros(ctx, {padding, 1, 1, channels}, scope.store().dtype()));
    padding_bias_ = Variable(Tensor::zeros(ctx, {padding}, scope.store().dtype()));
  }
}

std::vector<Variable> RpnHead::operator()(Context& ctx, const std::vector<Variable>& pyramid) const {
  SpanScope span(ctx, "forward/rpn");
  std::vector<Variable> weights{objectness_.weight, deltas_.weight}, biases{objectness_.bias, deltas_.bias};
  if (padding_weight_.defined()) {
    weights.push_back(padding_weight_);
    biases.push_back(padding_bias_);
  }
  const int64_t channels = conv_.weight.size(0);
  const Variable weight = concat_rows(ctx, weights), bias = concat_rows(ctx, biases);
  std::vector<Variable> out;
  const Variable rows = reshape(ctx, weight, {packed_channels(), channels});
  for (const Variable& level : pyramid) {  // a 1x1 convolution is a product of pixels
    const Variable x = conv_(ctx, level, true);
    const Variable pixels = reshape(ctx, x, {x.size(0) * x.size(1) * x.size(2), channels});
    out.push_back(reshape(ctx, linear(ctx, pixels, rows, bias, {.full = true}),
                          {x.size(0), x.size(1), x.size(2), packed_channels()}));
  }
  return out;
}

}  // namespace tailseg
