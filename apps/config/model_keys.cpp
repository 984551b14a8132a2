// The keys of `model.*`, with their meaning and limits.
#include "apps/config/setting_groups.h"

namespace tailseg {
namespace {

void add_model(ConfigSchema& s, ModelConfig& m) {
  s.add("model.meta", &m.meta, "one box head, or a cascade of them").choices({"mask_rcnn", "cascade_mask_rcnn"});
  s.add("model.precision", &m.precision,
        "of features and products; tf32: float32 with shorter factors on a GPU, the same as float32 on a CPU")
      .choices({"float32", "tf32", "bfloat16"});
  s.add("model.backbone", &m.backbone, "").choices({"resnet18", "resnet34", "resnet50", "resnet101"});
  s.add("model.backbone_width", &m.backbone_width, "channels of the stem; 64 is the published network").range(1, 1024);
  s.add("model.groups", &m.groups, "of the 3x3 convolutions of resnet50 and 101; ResNeXt 32x4d has 32").range(1, 1024);
  s.add("model.width_per_group", &m.width_per_group, "channels of a group; ResNeXt 32x4d has 4").range(1, 1024);
  s.add("model.stride_in_1x1", &m.stride_in_1x1,
        "where a bottleneck strides: its first 1x1 (Caffe weights) or its 3x3");
  s.add("model.norm", &m.norm, "frozen statistics, or those of the batch while training").choices({"frozen", "batch"});
  s.add("model.norm_eps", &m.norm_eps, "added to the variance").range(0, 1);
  s.add("model.norm_momentum", &m.norm_momentum, "of the running statistics (norm = batch)").range(0, 1);
  s.add("model.affine_trained", &m.affine_trained, "train the frozen norm's scale and offset");
  s.add("model.frozen_stages", &m.frozen_stages, "-1: none, 0: the stem, 1: also layer1, ... 4: all").range(-1, 4);
  s.add("model.fpn_channels", &m.fpn_channels, "").range(1, 4096);
  s.add("model.fpn_init", &m.fpn_init, "xavier uniform, or kaiming uniform with a = 1").choices({"xavier", "kaiming"});
  s.add("model.num_classes", &m.num_classes, "without the background; 0: as many as the training data have")
      .range(0, 100000);
  s.add("model.delta_clamp", &m.delta_clamp, "box deltas dw, dh: limit at log(1000/16) on both sides, or above only")
      .choices({"both", "upper"});
  s.add("model.iou_min_union", &m.iou_min_union, "IoU in matching divides by at least this").range(0, 1);
  s.add("model.weights", &m.weights, "safetensors file to start from; empty: random weights");
}

void add_proposals(ConfigSchema& s, AnchorConfig& a, RpnConfig& r) {
  s.add("model.anchors.sizes", &a.sizes, "square root of the area in pixels, P2 to P6").positive().length(5);
  s.add("model.anchors.aspect_ratios", &a.aspect_ratios, "height over width").positive();
  s.add("model.anchors.rounded", &a.rounded, "round the base anchors to whole pixels");
  s.add("model.anchors.stride", &a.stride, "4, 8, .. 64, or padded image size // feature size")
      .choices({"nominal", "from_shape"});
  s.add("model.rpn.iou_positive", &r.iou_positive, "").range(0, 1);
  s.add("model.rpn.iou_negative", &r.iou_negative, "").range(0, 1);
  s.add("model.rpn.low_quality", &r.low_quality,
        "an object's best anchors below iou_positive: negative, its own, positive")
      .choices({"off", "reassign", "keep_argmax"});
  s.add("model.rpn.low_quality_min_iou", &r.low_quality_min_iou, "reassign: when the best IoU is at least this")
      .range(0, 1);
  s.add("model.rpn.boundary_threshold", &r.boundary_threshold, "drop anchors further outside, pixels; -1: keep all")
      .range(-1, 1e6);
  s.add("model.rpn.ignore_padding", &r.ignore_padding, "drop anchors in padding that only larger batch mates caused");
  s.add("model.rpn.batch_size_per_image", &r.batch_size_per_image, "anchors sampled").range(1, 1e6);
  s.add("model.rpn.positive_fraction", &r.positive_fraction, "of them, at most").range(0, 1);
  s.add("model.rpn.loss_normalizer", &r.loss_normalizer, "whose divisor of both losses")
      .choices({"mmdet", "torchvision", "detectron2"});
  s.add("model.rpn.smooth_l1_beta", &r.smooth_l1_beta, "0: L1").range(0, 100);
  s.add("model.rpn.loss_weight", &r.loss_weight, "").range(0, 1e6);
  s.add("model.rpn.bbox_loss_weight", &r.bbox_loss_weight, "").range(0, 1e6);
  s.add("model.rpn.score", &r.score, "what proposals are ranked by, and reported with")
      .choices({"probability", "logit_then_probability", "logit"});
  s.add("model.rpn.pre_nms_topk_train", &r.pre_nms_topk_train, "a level").range(1, 1e6);
  s.add("model.rpn.pre_nms_topk_test", &r.pre_nms_topk_test, "a level").range(1, 1e6);
  s.add("model.rpn.post_nms_topk_train", &r.post_nms_topk_train, "an image, all levels").range(1, 1e6);
  s.add("model.rpn.post_nms_topk_test", &r.post_nms_topk_test, "an image, all levels").range(1, 1e6);
  s.add("model.rpn.nms_threshold", &r.nms_threshold, "").range(0, 1);
  s.add("model.rpn.min_box_size", &r.min_box_size, "drop smaller proposals, pixels; 0: only empty ones").range(0, 1e4);
  s.add("model.rpn.min_box_inclusive", &r.min_box_inclusive, "keep boxes of exactly that size");
}

void add_sharing(ConfigSchema& s, const std::string& group, const std::string& what, SharingConfig& c) {
  s.add(group + "class_agnostic", &c.class_agnostic, "one " + what + " for all classes");
  s.add(group + "agnostic_below", &c.agnostic_below,
        "classes with fewer training images share one " + what + " (11: rare in LVIS's sense); 0: each has its own")
      .range(0, 1e9);
  s.add(group + "agnostic_by", &c.agnostic_by, "what agnostic_below counts").choices({"images", "instances"});
}

void add_roi(ConfigSchema& s, RoiConfig& r) {
  s.add("model.roi.append_gt", &r.append_gt,
        "objects' own boxes among the proposals; prepend: matched apart from them, each its own")
      .choices({"prepend", "append", "no"});
  s.add("model.roi.iou_threshold", &r.iou_threshold, "foreground from here on").range(0, 1);
  s.add("model.roi.low_quality", &r.low_quality, "as model.rpn.low_quality, from iou_threshold on")
      .choices({"off", "reassign", "keep_argmax"});
  s.add("model.roi.batch_size_per_image", &r.batch_size_per_image, "proposals sampled").range(1, 1e6);
  s.add("model.roi.positive_fraction", &r.positive_fraction, "of them, at most").range(0, 1);
  s.add("model.roi.bbox_weights", &r.bbox_weights, "of dx, dy, dw, dh").positive().length(4);
  s.add("model.roi.smooth_l1_beta", &r.smooth_l1_beta, "0: L1").range(0, 100);
  s.add("model.roi.pooler_aligned", &r.pooler_aligned, "RoIAlign shifts by half a pixel");
  s.add("model.roi.pooler_sampling", &r.pooler_sampling, "RoIAlign samples per bin and axis; 0: adaptive").range(0, 64);
  s.add("model.roi.level_rule", &r.level_rule, "rounding of the FPN level of a box; mmdet1: of mmdetection 1.x")
      .choices({"mmdet", "torchvision", "detectron2", "mmdet1"});
}

// Written only with a cascade.
void add_cascade(ConfigSchema& s, const std::string& meta, CascadeConfig& c) {
  const auto add = [&](const char* key, ConfigField::Target target, const char* comment) -> ConfigField& {
    return s.add(std::string("model.cascade.") + key, target, comment).only_with(&meta, "cascade_mask_rcnn");
  };
  add("iou_thresholds", &c.iou_thresholds, "of each stage: foreground from here on").range(0, 1);
  add("bbox_weights", &c.bbox_weights, "of dx, dy, dw, dh, four a stage, in place of model.roi.bbox_weights")
      .positive();
  add("loss_weights", &c.loss_weights, "of each stage's three losses").range(0, 1e6);
  add("resample", &c.resample,
      "later stages: objects join again and RoIs are sampled again, or all refined boxes stay");
  add("mask_heads", &c.mask_heads, "one each stage, averaged, or one on the first stage's foreground")
      .choices({"each_stage", "first_stage"});
  add("scores", &c.scores, "of the stages together").choices({"mean_of_logits", "mean_of_scores"});
  add("gradient_scale", &c.gradient_scale, "of the gradient into the pooled box features").range(0, 1e3);
}

void add_heads(ConfigSchema& s, BoxHeadConfig& b, MaskHeadConfig& m) {
  s.add("model.box_head.pooled", &b.pooled, "RoIAlign output size").range(1, 64);
  s.add("model.box_head.width", &b.width, "of both hidden layers").range(1, 65536);
  add_sharing(s, "model.box_head.", "box", b);
  s.add("model.box_head.classifier", &b.classifier, "normalized: cosines with a temperature (Seesaw's NLA)")
      .choices({"linear", "normalized"});
  s.add("model.box_head.init", &b.init, "METHODS 5.4").choices({"mmdet", "torchvision"});
  s.add("model.box_head.class_loss_weight", &b.class_loss_weight, "").range(0, 1e6);
  s.add("model.box_head.loss_state", &b.loss_state,
        "run or checkpoint whose counts of the classification loss a new run begins with; empty: its own");
  s.add("model.box_head.bbox_loss_weight", &b.bbox_loss_weight, "").range(0, 1e6);
  add_normalized(s, "model.box_head.normalized.", b.classifier, b.normalized);
  add_class_loss(s, "model.box_head.loss.", b.loss);
  s.add("model.mask_head.pooled", &m.pooled, "RoIAlign output size; masks are twice that").range(1, 64);
  s.add("model.mask_head.convolutions", &m.convolutions, "").range(0, 16);
  s.add("model.mask_head.width", &m.width, "channels").range(1, 4096);
  add_sharing(s, "model.mask_head.", "mask", m);
  s.add("model.mask_head.predictor", &m.predictor, "normalized: cosines with a temperature (Seesaw's NormMask)")
      .choices({"linear", "normalized"});
  s.add("model.mask_head.targets", &m.targets, "RoIAlign of the bitmap thresholded, soft, or the polygon redrawn")
      .choices({"bitmap", "soft_bitmap", "polygon"});
  s.add("model.mask_head.frame", &m.frame, "bitmap targets end with the image, or with its own padding to size_divisor")
      .choices({"padded", "image"});
  s.add("model.mask_head.polygon_min_size", &m.polygon_min_size, "smallest box for polygon targets, pixels")
      .range(0, 100);
  s.add("model.mask_head.loss_weight", &m.loss_weight, "").range(0, 1e6);
  add_normalized(s, "model.mask_head.normalized.", m.predictor, m.normalized);
}

}  // namespace

void add_model_keys(ConfigSchema& s, ModelConfig& m) {
  add_model(s, m);
  add_proposals(s, m.anchors, m.rpn);
  add_roi(s, m.roi);
  add_cascade(s, m.meta, m.cascade);
  add_heads(s, m.box_head, m.mask_head);
}

}  // namespace tailseg
