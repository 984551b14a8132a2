// Every choice that Mask R-CNN and Cascade Mask R-CNN leave open. The initial values are mmdetection's; mmdet() and
// torchvision() are the two complete presets (METHODS 5).
#pragma once

#include "detection/anchors.h"
#include "detection/box_head.h"
#include "detection/calibration/calibrated_head.h"
#include "detection/cascade.h"
#include "detection/fpn.h"
#include "detection/level_assignment.h"
#include "detection/losses/rpn_loss.h"
#include "detection/mask_head.h"
#include "detection/mask_targets.h"
#include "detection/postprocess.h"
#include "detection/proposals.h"
#include "detection/roi_align.h"
#include "nn/resnet.h"

namespace tailseg {

struct MaskRcnnOptions {
  int64_t classes = 80;
  // bfloat16: features, their gradients and the filters that they meet. What the heads predict, losses, boxes,
  // normalisers, parameters and their gradients stay float32.
  bool bfloat16 = false;
  ResNetOptions backbone;
  FpnOptions fpn;

  AnchorOptions anchors;
  bool ignore_padding_anchors = true;  // METHODS 5.2 "anchors in padding"
  int64_t allowed_border = -1;
  MatcherOptions rpn_matcher;
  SamplerOptions rpn_sampler;
  BoxCoderOptions rpn_coder;
  RpnLossOptions rpn_loss;  // anchors_per_cell is filled in by the model
  ProposalOptions train_proposals;
  ProposalOptions test_proposals = {.per_level = 1000};

  TruthPlace truth_place = TruthPlace::first;
  MatcherOptions roi_matcher = {.positive = 0.5, .negative = 0.5, .low_quality_minimum = 0.5};
  SamplerOptions roi_sampler = {.total = 512, .positive_share = 0.25};
  BoxCoderOptions roi_coder = {.weights = {10, 10, 5, 5}};
  LevelRule level_rule = LevelRule::mmdet;
  RoiAlignOptions box_pool = {.output_size = 7};
  RoiAlignOptions mask_pool = {.output_size = 14};
  BoxHeadOptions box_head;    // classes is filled in by the model
  MaskHeadOptions mask_head;  // likewise
  double box_beta = 0;        // METHODS 5.3 "box loss": 0 is L1
  MaskTargetOptions mask_targets;
  bool mask_frame_is_padded = true;  // METHODS 5.3 "mask targets": bitmaps end with the image's padding, or the image

  CascadeOptions
      cascade;  // no stages: Mask R-CNN. With stages roi_matcher's overlaps and roi_coder's weights are theirs

  double rpn_objectness_weight = 1, rpn_box_weight = 1, class_weight = 1, box_weight = 1, mask_weight = 1;
  PostprocessOptions postprocess;
  std::optional<CalibrationOptions> calibration;  // a second classifier beside the box head's; all else is frozen
  bool watch_class_gradients = false;             // class_gradients.h; the state is the last box predictor's

  static MaskRcnnOptions mmdet(int64_t classes);
  static MaskRcnnOptions torchvision(int64_t classes);  // frozen batch norm, as with its pre-trained weights
};

}  // namespace tailseg
