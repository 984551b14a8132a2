#include "detection/box_head.h"

#include "autograd/arithmetic.h"
#include "detection/roi_rows.h"
#include "detection/selective_predictor.h"
#include "tensor/profiler.h"

namespace tailseg {

Initializer classifier_weights(const LastLayerInit& init, bool normalized) {
  if (!normalized) return init.weight;
  if (init.weight.kind == Initializer::Kind::constant) return Initializer::normal(0.01);
  TS_CHECK(init.weight.b != 0,
           "box head: a normalised classifier cannot begin with weights that are all 0; change the loss's init_scale");
  return init.weight;
}

BoxHead::BoxHead(const Scope& scope, int64_t channels, const BoxHeadOptions& options)
    : options_(options),
      loss_(options.loss.chosen().make(scope.sub("box_predictor" + options.stage + ".loss"), options.classes,
                                       options.statistics)) {
  const int64_t flat = options.pooled * options.pooled * channels, width = options.width;
  if (std::optional<FeatureMemoryOptions> wanted = loss_->memory()) {
    wanted->classes = options.classes;
    wanted->elements = flat;
    memory_ = std::make_shared<FeatureMemory>(scope.sub("box_predictor" + options.stage + ".memory"), *wanted);
  }
  const FilterMap filters = make_filter_map(
      "box deltas", options.classes, {options.class_agnostic, options.agnostic_below, options.agnostic_by_instances},
      options.statistics);
  filter_of_ = filters.on_device(scope.store().context());
  const Scope head = scope.sub("box_head" + options.stage), predictor = scope.sub("box_predictor" + options.stage);
  // METHODS 5.4: mmdet's own initialisers, or PyTorch's default for a Linear, weights and biases alike.
  auto layer = [&](const Scope& place, int64_t in, int64_t out, const Initializer& init, int64_t flattened = 0) {
    const Initializer fallback = Initializer::pytorch_default(in);
    return options.pytorch_init ? Linear(place, in, out, fallback, fallback, flattened)
                                : Linear(place, in, out, init, Initializer::constant(0), flattened);
  };
  fc6_ = layer(head.sub("fc6"), flat, width, Initializer::xavier_uniform({width, flat}), channels);
  fc7_ = layer(head.sub("fc7"), width, width, Initializer::xavier_uniform({width, width}));
  const Scope classifier = predictor.sub("cls_score");
  const auto& init = loss_->init();
  cls_score_ = init ? Linear(classifier, width, loss_->width(),
                             classifier_weights(*init, options.normalized.has_value()), init->bias)
                    : layer(classifier, width, loss_->width(), Initializer::normal(0.01));
  bbox_pred_ = layer(predictor.sub("bbox_pred"), width, 4 * filters.filters, Initializer::normal(0.001));
}

Variable BoxHead::features(Context& ctx, const Variable& pooled) const {
  SpanScope span(ctx, "forward/box_head");
  check_shape("box head: pooled features", pooled.value(), {-1, options_.pooled, options_.pooled, -1});
  const Variable flat = reshape(ctx, pooled, {pooled.size(0), pooled.size(1) * pooled.size(2) * pooled.size(3)});
  return fc7_(ctx, fc6_(ctx, flat, {.relu = true}), {.relu = true});
}

Variable BoxHead::class_logits(Context& ctx, const Variable& features) const {
  if (!options_.normalized) return cls_score_(ctx, features, {.full = true});
  return normalized_linear(ctx, features, cls_score_.weight, cls_score_.bias, *options_.normalized);
}

Variable BoxHead::all_deltas(Context& ctx, const Variable& features) const {
  return bbox_pred_(ctx, features, {.full = true});
}

Variable BoxHead::deltas(Context& ctx, const Variable& features, const Tensor& label) const {
  return selective_deltas(ctx, features, bbox_pred_.weight, bbox_pred_.bias,
                          foreground_labels(ctx, label, options_.classes), {.filter_of = filter_of_});
}

}  // namespace tailseg
