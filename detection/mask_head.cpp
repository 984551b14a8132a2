#include "detection/mask_head.h"

#include "detection/selective_predictor.h"
#include "tensor/profiler.h"

namespace tailseg {

MaskHead::MaskHead(const Scope& scope, int64_t channels, const MaskHeadOptions& options) : options_(options) {
  const FilterMap filters = make_filter_map(
      "masks", options.classes, {options.class_agnostic, options.agnostic_below, options.agnostic_by_instances},
      options.statistics);
  const int64_t width = options.width, rows = filters.filters;
  ParameterStore& store = scope.store();
  filter_of_ = filters.on_device(store.context());
  for (int64_t i = 0; i < options.convolutions; ++i) {
    const int64_t in = i == 0 ? channels : width;
    convs_.emplace_back(
        scope.sub(text("mask_head", options.stage, ".", i, ".0")), in, width, 3,
        ConvOptions{.geometry = {1, 1, 1}, .weight_init = Initializer::kaiming_normal_fan_out({width, 3, 3, in})});
  }
  // METHODS 5.4: fan_out of a transposed convolution is counted on (in, out, kh, kw), so it is 4 * in.
  const int64_t deconv_in = options.convolutions > 0 ? width : channels;
  const Scope predictor = scope.sub("mask_predictor" + options.stage);
  const Shape deconv{deconv_in, 2, 2, width};
  deconv_weight_ = store.add_parameter(predictor.full("conv5_mask.weight"), deconv,
                                       Initializer::kaiming_normal_fan_out(deconv), FileOrder::filters);
  deconv_bias_ = store.add_parameter(predictor.full("conv5_mask.bias"), {width}, Initializer::constant(0));
  weight_ = store.add_parameter(predictor.full("mask_fcn_logits.weight"), {rows, 1, 1, width},
                                Initializer::kaiming_normal_fan_out({rows, 1, 1, width}), FileOrder::filters);
  bias_ = store.add_parameter(predictor.full("mask_fcn_logits.bias"), {rows}, Initializer::constant(0));
}

Variable MaskHead::features(Context& ctx, const Variable& pooled) const {
  SpanScope span(ctx, "forward/mask_head");
  Variable x = pooled;
  for (const Conv& conv : convs_) x = conv(ctx, x, true);
  return transposed_convolution(ctx, x, deconv_weight_, {2, 0, 1}, deconv_bias_, true);
}

Variable MaskHead::logits(Context& ctx, const Variable& features, const Tensor& label) const {
  return selective_mask(ctx, features, weight_, bias_, label,
                        {filter_of_, options_.normalized ? &*options_.normalized : nullptr});
}

}  // namespace tailseg
