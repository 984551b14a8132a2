#include "detection/box_head.h"

#include "autograd/arithmetic.h"
#include "tensor/profiler.h"

namespace tailseg {

BoxHead::BoxHead(const Scope& scope, int64_t channels, const BoxHeadOptions& options)
    : options_(options),
      loss_(options.loss.chosen().make(scope.sub("box_predictor.loss"), options.classes, options.statistics)) {
  const int64_t flat = options.pooled * options.pooled * channels, width = options.width;
  if (std::optional<FeatureMemoryOptions> wanted = loss_->memory()) {
    wanted->classes = options.classes;
    wanted->elements = flat;
    memory_ = std::make_shared<FeatureMemory>(scope.sub("box_predictor.memory"), *wanted);
  }
  const int64_t delta_rows = options.class_agnostic ? 4 : 4 * options.classes;
  // METHODS 5.4: mmdet's own initialisers, or PyTorch's default for a Linear, weights and biases alike.
  auto layer = [&](const char* name, int64_t in, int64_t out, const Initializer& init, int64_t flattened = 0) {
    const Initializer fallback = Initializer::pytorch_default(in);
    return options.pytorch_init ? Linear(scope.sub(name), in, out, fallback, fallback, flattened)
                                : Linear(scope.sub(name), in, out, init, Initializer::constant(0), flattened);
  };
  fc6_ = layer("box_head.fc6", flat, width, Initializer::xavier_uniform({width, flat}), channels);
  fc7_ = layer("box_head.fc7", width, width, Initializer::xavier_uniform({width, width}));
  cls_score_ = loss_->init() ? Linear(scope.sub("box_predictor.cls_score"), width, loss_->width(),
                                      loss_->init()->weight, loss_->init()->bias)
                             : layer("box_predictor.cls_score", width, loss_->width(), Initializer::normal(0.01));
  bbox_pred_ = layer("box_predictor.bbox_pred", width, delta_rows, Initializer::normal(0.001));
}

Variable BoxHead::features(Context& ctx, const Variable& pooled) const {
  SpanScope span(ctx, "forward/box_head");
  check_shape("box head: pooled features", pooled.value(), {-1, options_.pooled, options_.pooled, -1});
  const Variable flat = reshape(ctx, pooled, {pooled.size(0), pooled.size(1) * pooled.size(2) * pooled.size(3)});
  return fc7_(ctx, fc6_(ctx, flat, true), true);
}

Variable BoxHead::class_logits(Context& ctx, const Variable& features) const { return cls_score_(ctx, features); }

Variable BoxHead::all_deltas(Context& ctx, const Variable& features) const { return bbox_pred_(ctx, features); }

}  // namespace tailseg
