// The box head: two fully connected layers over the pooled 7x7 features, then class logits and box deltas.
// Names: box_head.fc6, box_head.fc7, box_predictor.cls_score, box_predictor.bbox_pred. Rows of cls_score: the C
// classes, background last; bbox_pred has 4 rows a class (no background), or 4 in all when class-agnostic.
#pragma once

#include "nn/layers.h"

namespace tailseg {

struct BoxHeadOptions {
  int64_t classes = 80;
  int64_t pooled = 7;    // RoIAlign output size
  int64_t width = 1024;  // of both layers
  bool class_agnostic = false;
  bool pytorch_init = false;  // METHODS 5.4: all four layers as PyTorch's Linear default (torchvision)
};

class BoxHead {
 public:
  BoxHead(const Scope& scope, int64_t channels, const BoxHeadOptions& options);

  // pooled [R, 7, 7, C] -> features [R, width].
  Variable features(Context& ctx, const Variable& pooled) const;
  Variable class_logits(Context& ctx, const Variable& features) const;  // [R, classes + 1]
  Variable all_deltas(Context& ctx, const Variable& features) const;    // [R, 4 * classes], or [R, 4] class-agnostic
  const Linear& delta_layer() const { return bbox_pred_; }
  const BoxHeadOptions& options() const { return options_; }

 private:
  BoxHeadOptions options_;
  Linear fc6_, fc7_, cls_score_, bbox_pred_;
};

}  // namespace tailseg
