// The patterns of name_map.h, one table a system (ECOSYSTEM 2.6; Caffe2's names after Detectron's model files).
#pragma once

namespace tailseg::name_rules {

struct Rule {
  const char* pattern;
  const char* replacement;  // null: dropped, and the reason stands in `why`
  const char* why = nullptr;
};

inline constexpr const char* kClassifier = "classifier of the ImageNet pre-training";
inline constexpr const char* kCounter = "batch counter, not used by frozen or restored statistics";
inline constexpr const char* kConstant = "constant of the other system, not a weight";

inline constexpr Rule kTorchvision[] = {
    {"backbone.body.conv1.weight", "backbone.body.conv1.weight"},
    {"backbone.body.bn1.%", "backbone.body.bn1.{@}"},
    {"backbone.body.layer#.#.conv#.weight", "backbone.body.layer{1}.{2}.conv{3}.weight"},
    {"backbone.body.layer#.#.bn#.%", "backbone.body.layer{1}.{2}.bn{3}.{@}"},
    {"backbone.body.layer#.#.downsample.0.weight", "backbone.body.layer{1}.{2}.downsample.0.weight"},
    {"backbone.body.layer#.#.downsample.1.%", "backbone.body.layer{1}.{2}.downsample.1.{@}"},
    {"backbone.fpn.inner_blocks.#.0.@", "backbone.fpn.inner_blocks.{1}.0.{@}"},
    {"backbone.fpn.layer_blocks.#.0.@", "backbone.fpn.layer_blocks.{1}.0.{@}"},
    {"rpn.head.conv.0.0.@", "rpn.head.conv.0.0.{@}"},
    {"rpn.head.cls_logits.@", "rpn.head.cls_logits.{@}"},
    {"rpn.head.bbox_pred.@", "rpn.head.bbox_pred.{@}"},
    {"roi_heads.box_head.fc#.@", "roi_heads.box_head.fc{1}.{@}"},
    {"roi_heads.box_predictor.cls_score.@", "roi_heads.box_predictor.cls_score.{@}"},
    {"roi_heads.box_predictor.bbox_pred.@", "roi_heads.box_predictor.bbox_pred.{@}"},
    {"roi_heads.mask_head.#.0.@", "roi_heads.mask_head.{1}.0.{@}"},
    {"roi_heads.mask_predictor.conv5_mask.@", "roi_heads.mask_predictor.conv5_mask.{@}"},
    {"roi_heads.mask_predictor.mask_fcn_logits.@", "roi_heads.mask_predictor.mask_fcn_logits.{@}"},
    // our own cascades and losses
    {"roi_heads.box_head.#.fc#.@", "roi_heads.box_head.{1}.fc{2}.{@}"},
    {"roi_heads.box_predictor.#.cls_score.@", "roi_heads.box_predictor.{1}.cls_score.{@}"},
    {"roi_heads.box_predictor.#.bbox_pred.@", "roi_heads.box_predictor.{1}.bbox_pred.{@}"},
    {"roi_heads.box_predictor.#.loss.counts", "roi_heads.box_predictor.{1}.loss.counts"},
    {"roi_heads.box_predictor.loss.counts", "roi_heads.box_predictor.loss.counts"},
    {"roi_heads.mask_head.#.#.0.@", "roi_heads.mask_head.{1}.{2}.0.{@}"},
    {"roi_heads.mask_predictor.#.conv5_mask.@", "roi_heads.mask_predictor.{1}.conv5_mask.{@}"},
    {"roi_heads.mask_predictor.#.mask_fcn_logits.@", "roi_heads.mask_predictor.{1}.mask_fcn_logits.{@}"},
    // before torchvision 0.13
    {"backbone.fpn.inner_blocks.#.@", "backbone.fpn.inner_blocks.{1}.0.{@}"},
    {"backbone.fpn.layer_blocks.#.@", "backbone.fpn.layer_blocks.{1}.0.{@}"},
    {"rpn.head.conv.@", "rpn.head.conv.0.0.{@}"},
    {"roi_heads.mask_head.mask_fcn#.@", "roi_heads.mask_head.{1-1}.0.{@}"},
    // a classification ResNet
    {"conv1.weight", "backbone.body.conv1.weight"},
    {"bn1.%", "backbone.body.bn1.{@}"},
    {"layer#.#.conv#.weight", "backbone.body.layer{1}.{2}.conv{3}.weight"},
    {"layer#.#.bn#.%", "backbone.body.layer{1}.{2}.bn{3}.{@}"},
    {"layer#.#.downsample.0.weight", "backbone.body.layer{1}.{2}.downsample.0.weight"},
    {"layer#.#.downsample.1.%", "backbone.body.layer{1}.{2}.downsample.1.{@}"},
    {"fc.@", nullptr, kClassifier},
};

inline constexpr Rule kDetectron2[] = {
    {"backbone.bottom_up.stem.conv1.weight", "backbone.body.conv1.weight"},
    {"backbone.bottom_up.stem.conv1.norm.%", "backbone.body.bn1.{@}"},
    {"backbone.bottom_up.res#.#.conv#.weight", "backbone.body.layer{1-1}.{2}.conv{3}.weight"},
    {"backbone.bottom_up.res#.#.conv#.norm.%", "backbone.body.layer{1-1}.{2}.bn{3}.{@}"},
    {"backbone.bottom_up.res#.#.shortcut.weight", "backbone.body.layer{1-1}.{2}.downsample.0.weight"},
    {"backbone.bottom_up.res#.#.shortcut.norm.%", "backbone.body.layer{1-1}.{2}.downsample.1.{@}"},
    {"backbone.fpn_lateral#.@", "backbone.fpn.inner_blocks.{1-2}.0.{@}"},
    {"backbone.fpn_output#.@", "backbone.fpn.layer_blocks.{1-2}.0.{@}"},
    {"proposal_generator.rpn_head.conv.@", "rpn.head.conv.0.0.{@}"},
    {"proposal_generator.rpn_head.objectness_logits.@", "rpn.head.cls_logits.{@}"},
    {"proposal_generator.rpn_head.anchor_deltas.@", "rpn.head.bbox_pred.{@}"},
    {"roi_heads.box_head.fc1.@", "roi_heads.box_head.fc6.{@}"},
    {"roi_heads.box_head.fc2.@", "roi_heads.box_head.fc7.{@}"},
    {"roi_heads.box_predictor.cls_score.@", "roi_heads.box_predictor.cls_score.{@}"},
    {"roi_heads.box_predictor.bbox_pred.@", "roi_heads.box_predictor.bbox_pred.{@}"},
    {"roi_heads.mask_head.mask_fcn#.@", "roi_heads.mask_head.{1-1}.0.{@}"},
    {"roi_heads.mask_head.deconv.@", "roi_heads.mask_predictor.conv5_mask.{@}"},
    {"roi_heads.mask_head.predictor.@", "roi_heads.mask_predictor.mask_fcn_logits.{@}"},
    // a cascade
    {"roi_heads.box_head.#.fc1.@", "roi_heads.box_head.{1}.fc6.{@}"},
    {"roi_heads.box_head.#.fc2.@", "roi_heads.box_head.{1}.fc7.{@}"},
    {"roi_heads.box_predictor.#.cls_score.@", "roi_heads.box_predictor.{1}.cls_score.{@}"},
    {"roi_heads.box_predictor.#.bbox_pred.@", "roi_heads.box_predictor.{1}.bbox_pred.{@}"},
    // a backbone alone
    {"stem.conv1.weight", "backbone.body.conv1.weight"},
    {"stem.conv1.norm.%", "backbone.body.bn1.{@}"},
    {"res#.#.conv#.weight", "backbone.body.layer{1-1}.{2}.conv{3}.weight"},
    {"res#.#.conv#.norm.%", "backbone.body.layer{1-1}.{2}.bn{3}.{@}"},
    {"res#.#.shortcut.weight", "backbone.body.layer{1-1}.{2}.downsample.0.weight"},
    {"res#.#.shortcut.norm.%", "backbone.body.layer{1-1}.{2}.downsample.1.{@}"},
    {"linear.@", nullptr, kClassifier},
    {"fc.@", nullptr, kClassifier},
    {"stem.fc.@", nullptr, kClassifier},
    {"pixel_mean", nullptr, kConstant},
    {"pixel_std", nullptr, kConstant},
    {"proposal_generator.anchor_generator.cell_anchors.#", nullptr, kConstant},
};

// Caffe2 says _w and _b; a batch norm there is a scale _s and an offset _b only (its statistics are folded in).
inline constexpr Rule kCaffe2[] = {
    {"conv1_w", "backbone.body.conv1.weight"},
    {"conv1_b", nullptr, "bias of the stem, zero before a batch norm"},
    {"res_conv1_bn_s", "backbone.body.bn1.weight"},
    {"res_conv1_bn_b", "backbone.body.bn1.bias"},
    {"res#_#_branch2a_w", "backbone.body.layer{1-1}.{2}.conv1.weight"},
    {"res#_#_branch2b_w", "backbone.body.layer{1-1}.{2}.conv2.weight"},
    {"res#_#_branch2c_w", "backbone.body.layer{1-1}.{2}.conv3.weight"},
    {"res#_#_branch2a_bn_s", "backbone.body.layer{1-1}.{2}.bn1.weight"},
    {"res#_#_branch2b_bn_s", "backbone.body.layer{1-1}.{2}.bn2.weight"},
    {"res#_#_branch2c_bn_s", "backbone.body.layer{1-1}.{2}.bn3.weight"},
    {"res#_#_branch2a_bn_b", "backbone.body.layer{1-1}.{2}.bn1.bias"},
    {"res#_#_branch2b_bn_b", "backbone.body.layer{1-1}.{2}.bn2.bias"},
    {"res#_#_branch2c_bn_b", "backbone.body.layer{1-1}.{2}.bn3.bias"},
    {"res#_#_branch1_w", "backbone.body.layer{1-1}.{2}.downsample.0.weight"},
    {"res#_#_branch1_bn_s", "backbone.body.layer{1-1}.{2}.downsample.1.weight"},
    {"res#_#_branch1_bn_b", "backbone.body.layer{1-1}.{2}.downsample.1.bias"},
    {"fpn_inner_res#_#_sum_w", "backbone.fpn.inner_blocks.{1-2}.0.weight"},
    {"fpn_inner_res#_#_sum_b", "backbone.fpn.inner_blocks.{1-2}.0.bias"},
    {"fpn_inner_res#_#_sum_lateral_w", "backbone.fpn.inner_blocks.{1-2}.0.weight"},
    {"fpn_inner_res#_#_sum_lateral_b", "backbone.fpn.inner_blocks.{1-2}.0.bias"},
    {"fpn_res#_#_sum_w", "backbone.fpn.layer_blocks.{1-2}.0.weight"},
    {"fpn_res#_#_sum_b", "backbone.fpn.layer_blocks.{1-2}.0.bias"},
    {"conv_rpn_fpn2_w", "rpn.head.conv.0.0.weight"},
    {"conv_rpn_fpn2_b", "rpn.head.conv.0.0.bias"},
    {"rpn_cls_logits_fpn2_w", "rpn.head.cls_logits.weight"},
    {"rpn_cls_logits_fpn2_b", "rpn.head.cls_logits.bias"},
    {"rpn_bbox_pred_fpn2_w", "rpn.head.bbox_pred.weight"},
    {"rpn_bbox_pred_fpn2_b", "rpn.head.bbox_pred.bias"},
    {"fc#_w", "roi_heads.box_head.fc{1}.weight"},
    {"fc#_b", "roi_heads.box_head.fc{1}.bias"},
    {"cls_score_w", "roi_heads.box_predictor.cls_score.weight"},
    {"cls_score_b", "roi_heads.box_predictor.cls_score.bias"},
    {"bbox_pred_w", "roi_heads.box_predictor.bbox_pred.weight"},
    {"bbox_pred_b", "roi_heads.box_predictor.bbox_pred.bias"},
    {"_[mask]_fcn#_w", "roi_heads.mask_head.{1-1}.0.weight"},
    {"_[mask]_fcn#_b", "roi_heads.mask_head.{1-1}.0.bias"},
    {"conv5_mask_w", "roi_heads.mask_predictor.conv5_mask.weight"},
    {"conv5_mask_b", "roi_heads.mask_predictor.conv5_mask.bias"},
    {"mask_fcn_logits_w", "roi_heads.mask_predictor.mask_fcn_logits.weight"},
    {"mask_fcn_logits_b", "roi_heads.mask_predictor.mask_fcn_logits.bias"},
    {"pred_w", nullptr, kClassifier},
    {"pred_b", nullptr, kClassifier},
};

inline constexpr Rule kMmdet[] = {
    {"backbone.conv1.weight", "backbone.body.conv1.weight"},
    {"backbone.bn1.%", "backbone.body.bn1.{@}"},
    {"backbone.layer#.#.conv#.weight", "backbone.body.layer{1}.{2}.conv{3}.weight"},
    {"backbone.layer#.#.bn#.%", "backbone.body.layer{1}.{2}.bn{3}.{@}"},
    {"backbone.layer#.#.downsample.0.weight", "backbone.body.layer{1}.{2}.downsample.0.weight"},
    {"backbone.layer#.#.downsample.1.%", "backbone.body.layer{1}.{2}.downsample.1.{@}"},
    {"neck.lateral_convs.#.conv.@", "backbone.fpn.inner_blocks.{1}.0.{@}"},
    {"neck.fpn_convs.#.conv.@", "backbone.fpn.layer_blocks.{1}.0.{@}"},
    {"rpn_head.rpn_conv.@", "rpn.head.conv.0.0.{@}"},
    {"rpn_head.rpn_cls.@", "rpn.head.cls_logits.{@}"},
    {"rpn_head.rpn_reg.@", "rpn.head.bbox_pred.{@}"},
    {"roi_head.bbox_head.shared_fcs.0.@", "roi_heads.box_head.fc6.{@}"},
    {"roi_head.bbox_head.shared_fcs.1.@", "roi_heads.box_head.fc7.{@}"},
    {"roi_head.bbox_head.fc_cls.@", "roi_heads.box_predictor.cls_score.{@}"},
    {"roi_head.bbox_head.fc_reg.@", "roi_heads.box_predictor.bbox_pred.{@}"},
    {"roi_head.mask_head.convs.#.conv.@", "roi_heads.mask_head.{1}.0.{@}"},
    {"roi_head.mask_head.upsample.@", "roi_heads.mask_predictor.conv5_mask.{@}"},
    {"roi_head.mask_head.conv_logits.@", "roi_heads.mask_predictor.mask_fcn_logits.{@}"},
    // a cascade
    {"roi_head.bbox_head.#.shared_fcs.0.@", "roi_heads.box_head.{1}.fc6.{@}"},
    {"roi_head.bbox_head.#.shared_fcs.1.@", "roi_heads.box_head.{1}.fc7.{@}"},
    {"roi_head.bbox_head.#.fc_cls.@", "roi_heads.box_predictor.{1}.cls_score.{@}"},
    {"roi_head.bbox_head.#.fc_reg.@", "roi_heads.box_predictor.{1}.bbox_pred.{@}"},
    {"roi_head.mask_head.#.convs.#.conv.@", "roi_heads.mask_head.{1}.{2}.0.{@}"},
    {"roi_head.mask_head.#.upsample.@", "roi_heads.mask_predictor.{1}.conv5_mask.{@}"},
    {"roi_head.mask_head.#.conv_logits.@", "roi_heads.mask_predictor.{1}.mask_fcn_logits.{@}"},
    // Seesaw's counts of samples so far
    {"roi_head.bbox_head.loss_cls.cum_samples", "roi_heads.box_predictor.loss.counts"},
    {"roi_head.bbox_head.#.loss_cls.cum_samples", "roi_heads.box_predictor.{1}.loss.counts"},
    {"data_preprocessor.mean", nullptr, kConstant},
    {"data_preprocessor.std", nullptr, kConstant},
};

}  // namespace tailseg::name_rules
