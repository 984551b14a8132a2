// Cascade R-CNN (Cai and Vasconcelos, CVPR 2018; METHODS 2.5): box heads in a row, each trained on the boxes that the
// one before it refined, at a higher overlap; with Mask R-CNN's mask heads.
//
//   training    stage s: match at its IoU, sample, losses times its weight; then every sampled box moves by its offsets
//               (no gradient through that), and the moved boxes are the proposals of stage s + 1
//   prediction  stage s: features of the boxes, logits and offsets, boxes move; scores from all stages together, boxes
//               of the last one
//
// Offsets are class-agnostic. Each stage's classification loss is its own, with its own state. A stage is a row of
// RoiHeads (roi_heads.h), of which Mask R-CNN has one. Names of stage s's parameters, with mmdetection's and
// detectron2's (tailseg-import knows both):
//
//   roi_heads.box_head.s.fc6            roi_head.bbox_head.s.shared_fcs.0   roi_heads.box_head.s.fc1
//   roi_heads.box_head.s.fc7            roi_head.bbox_head.s.shared_fcs.1   roi_heads.box_head.s.fc2
//   roi_heads.box_predictor.s.cls_score roi_head.bbox_head.s.fc_cls         roi_heads.box_predictor.s.cls_score
//   roi_heads.box_predictor.s.bbox_pred roi_head.bbox_head.s.fc_reg         roi_heads.box_predictor.s.bbox_pred
//   roi_heads.box_predictor.s.loss      roi_head.bbox_head.s.loss_cls       -
//   roi_heads.mask_head.s.i.0           roi_head.mask_head.s.convs.i.conv   roi_heads.mask_head.mask_fcn(i+1)
//   roi_heads.mask_predictor.s.*        roi_head.mask_head.s.*              roi_heads.mask_head.*
//
// With one mask head (detectron2) its names have no s, as in Mask R-CNN.
#pragma once

#include <array>
#include <vector>

#include "detection/sampler.h"

namespace tailseg {

struct CascadeStage {
  double iou = 0.5;                                      // foreground from here on, background below
  std::array<double, 4> delta_weights = {10, 10, 5, 5};  // of the box coder: 1 / standard deviation
  double loss_weight = 1;                                // of the stage's three losses
};

struct CascadeOptions {
  std::vector<CascadeStage> stages;  // none: Mask R-CNN
  bool resample = true;  // later stages: ground truth joins again and RoIs are sampled again (mmdet), or all
                         // boxes that are not empty are matched again (detectron2)
  bool mask_head_each_stage = true;  // each on its stage's foreground, masks averaged (mmdet), or only stage 0's
  bool mean_of_logits = true;        // scores of the mean logits (mmdet), or mean scores (detectron2)
  double gradient_scale = 1;         // of the gradient into the pooled box features (detectron2: 1 / stages)

  static CascadeOptions mmdet();
  static CascadeOptions detectron2();
};

// Box offsets that a stage's head predicted for its RoIs.
struct RefineInput {
  const RoiTargets* rois;   // [N, S], the stage's sample
  const BoxSet* proposals;  // [N, P] that the sample was drawn from, without the ground truth that joined it
  const BoxSet* truth;      // [N, G]
  TruthPlace place;         // where that was put
  Tensor rows;              // [K] int32: the RoIs [N * S] that the head saw
  Tensor deltas;            // [K, 4] theirs
  Tensor image_sizes;       // [N, 2] int32
};

struct RefineOptions {
  BoxCoderOptions coder;
  bool drop_truth = true;   // RoIs that were ground truth: it joins again
  bool drop_empty = false;  // boxes without area inside the image
};

// The moved boxes [N, S, 4], clipped to their images, in the sample's order without gaps.
BoxSet refine_rois(Context& ctx, const RefineInput& input, const RefineOptions& options);

}  // namespace tailseg
