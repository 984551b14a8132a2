// The region proposal network's losses (Ren et al. 2015; METHODS 5.2): binary cross-entropy of the objectness of
// sampled anchors, smooth L1 of the offsets of the positive ones, both over the same divisor.
#pragma once

#include "autograd/variable.h"

namespace tailseg {

// METHODS 5.2 "cls loss", "box loss".
enum class RpnNormaliser : unsigned char {
  mmdet,        // sum over images of max(positives, 1) + max(negatives, 1)
  detectron2,   // per_image (256, the sampler's size) * images, however many were sampled
  torchvision,  // the number of sampled anchors (at least 1)
};

struct RpnLossOptions {
  int64_t anchors_per_cell = 3;  // A
  RpnNormaliser normaliser = RpnNormaliser::mmdet;
  double per_image = 256;  // of detectron2's normaliser
  double beta = 0;         // 0: L1 (mmdet, detectron2); 1/9: torchvision and the cascades
};

// The sampled anchors. An anchor occurs at most once in an image.
struct RpnTargets {
  Tensor index;   // [N, S] int32: anchors of all levels, level by level, then row, column, base anchor
  Tensor label;   // [N, S] int32: 1 object, 0 background, -1 unused row
  Tensor deltas;  // [N, S, 4] float32 (float64 for float64): offsets to predict, read where the label is 1
};

struct RpnLoss {
  Variable objectness, box;  // [1] each, float32 (float64 in checks)
  Tensor counts;             // [2] int32: positives, negatives
};

// levels[l]: the head's packed output [N, H_l, W_l, channels] (rpn_head.h): A scores, 4 A offsets, padding.
// An index beyond the anchors makes the objectness loss NaN.
RpnLoss rpn_loss(Context& ctx, const std::vector<Variable>& levels, const RpnTargets& targets,
                 const RpnLossOptions& options);

}  // namespace tailseg
