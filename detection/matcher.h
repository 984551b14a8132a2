// Which ground-truth box, if any, each anchor or proposal stands for (METHODS 5.2, 5.3).
//
// With O[g, a] the intersection over union: a box takes argmax_g O (of equals the first) when that reaches `positive`,
// is background below `negative`, and takes no part in between. The low-quality rule then gives boxes to ground truth
// that none has reached. Nothing of size [G, A] is ever stored: the overlaps are computed twice, once for each box's
// best and once for each ground truth's best, in one fixed order of operations, because the rule compares them for
// equality (METHODS 11.8).
#pragma once

#include "detection/box_set.h"

namespace tailseg {

enum class LowQuality : unsigned char {
  off,          // cascade heads; detectron2's and torchvision's box heads
  reassign,     // mmdet: all boxes tied at a ground truth's best overlap become its own, if that best reaches
                // low_quality_minimum; of several ground truths the last one wins
  keep_argmax,  // detectron2, torchvision: such boxes become positive but keep their own argmax; no minimum, so a
                // ground truth that nothing overlaps makes every box positive that it does not overlap
};

struct MatcherOptions {
  double positive = 0.7;                          // METHODS 5.2, 5.3: RPN 0.7, box heads 0.5 (cascade 0.5, 0.6, 0.7)
  double negative = 0.3;                          // RPN 0.3, box heads as positive
  LowQuality low_quality = LowQuality::reassign;  // METHODS 5.2, 5.3 "low-quality"
  double low_quality_minimum = 0.3;               // of reassign: RPN 0.3, box heads 0.5
  double min_union = 1e-6;                        // METHODS 5.3 "IoU": mmdet 1e-6, others 0
};

struct MatchInput {
  const BoxSet* truth = nullptr;   // [N, G]; zero boxes are allowed: everything is background then
  Tensor boxes;                    // [A, 4] the same for every image, or [N, A, 4]
  const Tensor* count = nullptr;   // [N] int32: boxes from here on are unused; null: none is
  const Tensor* usable = nullptr;  // [N, A] uint8: 0 takes no part (anchor_validity); null: all do
  // The first boxes of every image are its ground truth itself (mmdet, which joins it after matching): each is its own,
  // with overlap 1, and what it overlaps counts for no ground truth's best.
  bool truth_leads = false;
};

struct Matches {
  Tensor index;  // [N, A] int32: matched ground truth, kBackground or kIgnored
  Tensor best;   // [N, A] the box's largest overlap, 0 without ground truth
};

constexpr int32_t kBackground = -1;
constexpr int32_t kIgnored = -2;

Matches match_boxes(Context& ctx, const MatchInput& input, const MatcherOptions& options);

}  // namespace tailseg
