// From the region proposal network's outputs to proposals: best anchors of each level, decoded, clipped, small ones
// dropped, suppressed within their level, and the best of all levels kept for each image (METHODS 5.2).
//
// All images and levels go together; no count is read back. Ties: lower level, then lower anchor index, first.
#pragma once

#include <vector>

#include "detection/anchors.h"
#include "detection/box_coder.h"
#include "detection/box_set.h"

namespace tailseg {

// One pyramid level's outputs. Scores: A consecutive channels from score_channel; deltas: 4 * A from delta_channel,
// anchor by anchor. Both may lie in one tensor (RpnHead packs them so). float32 or bfloat16 (float64 in tests).
struct RpnLevel {
  Tensor scores;  // [N, H, W, channels]
  int64_t score_channel = 0;
  Tensor deltas;  // [N, H, W, channels]
  int64_t delta_channel = 0;

  // The packed layout: scores first, then deltas.
  static RpnLevel packed(const Tensor& output, int64_t anchors_per_cell) {
    return {output, 0, output, anchors_per_cell};
  }
};

enum class RpnScore : unsigned char {  // METHODS 5.2 "score"
  probability,                         // mmdet: the sigmoid comes first; large logits that it rounds to 1 tie
  logit_then_probability,              // torchvision: ranked by logit, reported as probability
  logit,                               // detectron2
};

struct ProposalOptions {
  RpnScore score = RpnScore::probability;
  int64_t per_level = 2000;      // METHODS 5.2 "pre-NMS top-k": training 2000, test 1000
  int64_t most = 1000;           // METHODS 5.2 "post-NMS": mmdet 1000; torchvision and cascades 2000 in training
  double nms_threshold = 0.7;    // METHODS 5.2 "NMS"
  double smallest = 0;           // METHODS 5.2 "small-box filter": width and height in pixels
  bool smallest_counts = false;  // false: above `smallest` (mmdet, detectron2); true: at least (torchvision, 1e-3)
  BoxCoderOptions coder;
};

// levels[l] belongs to anchors.levels[l]; image_sizes [N, 2] int32: height and width without padding, to which boxes
// are clipped. -> boxes [N, most, 4] best first, scores [N, most], count. Anchors whose logit or box is not finite are
// dropped.
BoxSet make_proposals(Context& ctx, const std::vector<RpnLevel>& levels, const AnchorSet& anchors,
                      const Tensor& image_sizes, const ProposalOptions& options);

}  // namespace tailseg
