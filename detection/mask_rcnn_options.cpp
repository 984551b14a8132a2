// The two complete presets: every row of METHODS 5.1 to 5.5 that changes a number.
#include "detection/mask_rcnn_options.h"

namespace tailseg {

MaskRcnnOptions MaskRcnnOptions::mmdet(int64_t classes) {
  MaskRcnnOptions options;  // the default values are mmdetection 2.21's
  options.classes = classes;
  return options;
}

MaskRcnnOptions MaskRcnnOptions::torchvision(int64_t classes) {
  MaskRcnnOptions o;
  o.classes = classes;
  o.backbone.norm.affine_trained = false;  // 5.1 "BN"
  o.fpn.kaiming_init = true;               // 5.1 "FPN init"

  o.anchors.round_base = true;        // 5.2 "w,h"
  o.anchors.measured_strides = true;  // 5.2 "centre"
  o.ignore_padding_anchors = false;   // 5.2 "anchors in padding"
  o.rpn_matcher.low_quality = LowQuality::keep_argmax;
  o.rpn_matcher.min_union = 0;
  o.rpn_coder.clamp_both_sides = false;
  o.rpn_loss.normaliser = RpnNormaliser::torchvision;
  o.rpn_loss.beta = 1.0 / 9;
  for (ProposalOptions* proposals : {&o.train_proposals, &o.test_proposals}) {
    proposals->score = RpnScore::logit_then_probability;
    proposals->smallest = 1e-3;
    proposals->smallest_counts = true;
    proposals->coder.clamp_both_sides = false;
  }
  o.train_proposals.most = 2000;  // 5.2 "post-NMS"

  o.truth_place = TruthPlace::last;  // 5.3
  o.roi_matcher.low_quality = LowQuality::off;
  o.roi_matcher.min_union = 0;
  o.roi_coder.clamp_both_sides = false;
  o.level_rule = LevelRule::torchvision;  // 2.7
  for (RoiAlignOptions* pool : {&o.box_pool, &o.mask_pool}) {
    pool->aligned = false;
    pool->sampling_ratio = 2;
  }
  o.box_head.pytorch_init = true;  // 5.4
  o.box_beta = 1.0 / 9;            // 5.3 "box loss"
  o.mask_targets.rule = MaskTargetRule::bitmap_soft;
  o.mask_frame_is_padded = false;

  o.postprocess.smallest_side = 1e-2;  // 5.5
  o.postprocess.rescale_before_nms = false;
  o.postprocess.coder.clamp_both_sides = false;
  return o;
}

}  // namespace tailseg
