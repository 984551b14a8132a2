#include "apps/config/model_options.h"

#include <algorithm>

#include "apps/config/calibration_options.h"
#include "apps/config/word.h"
#include "tensor/error.h"

namespace tailseg {
namespace {

LowQuality low_quality(const std::string& word) {
  return word_to<LowQuality>(
      word, {{"off", LowQuality::off}, {"reassign", LowQuality::reassign}, {"keep_argmax", LowQuality::keep_argmax}});
}

ResNetOptions backbone_options(const ModelConfig& m) {
  ResNetOptions o;
  o.depth = std::stoi(m.backbone.substr(std::string("resnet").size()));
  o.norm.kind = m.norm == "batch" ? NormKind::batch : NormKind::frozen;
  o.norm.affine_trained = m.affine_trained;
  o.norm.eps = m.norm_eps;
  o.norm.momentum = m.norm_momentum;
  o.frozen_stages = int(m.frozen_stages);
  o.stride_in_1x1 = m.stride_in_1x1;
  o.width = m.backbone_width;
  o.groups = m.groups;
  o.width_per_group = m.width_per_group;
  return o;
}

ProposalOptions proposal_options(const ModelConfig& m, bool training) {
  const RpnConfig& r = m.rpn;
  ProposalOptions o;
  o.score = word_to<RpnScore>(r.score, {{"probability", RpnScore::probability},
                                        {"logit_then_probability", RpnScore::logit_then_probability},
                                        {"logit", RpnScore::logit}});
  o.per_level = training ? r.pre_nms_topk_train : r.pre_nms_topk_test;
  o.most = training ? r.post_nms_topk_train : r.post_nms_topk_test;
  o.nms_threshold = r.nms_threshold;
  o.smallest = r.min_box_size;
  o.smallest_counts = r.min_box_inclusive;
  o.coder.clamp_both_sides = m.delta_clamp == "both";
  return o;
}

void set_rpn(const ModelConfig& m, MaskRcnnOptions& o) {
  const RpnConfig& r = m.rpn;
  o.anchors.sizes.clear();
  for (const double size : m.anchors.sizes) o.anchors.sizes.push_back({size});
  o.anchors.ratios = m.anchors.aspect_ratios;
  o.anchors.round_base = m.anchors.rounded;
  o.anchors.measured_strides = m.anchors.stride == "from_shape";
  o.ignore_padding_anchors = r.ignore_padding;
  o.allowed_border = r.boundary_threshold;
  o.rpn_matcher.positive = r.iou_positive;
  o.rpn_matcher.negative = r.iou_negative;
  o.rpn_matcher.low_quality = low_quality(r.low_quality);
  o.rpn_matcher.low_quality_minimum = r.low_quality_min_iou;
  o.rpn_matcher.min_union = m.iou_min_union;
  o.rpn_sampler.total = r.batch_size_per_image;
  o.rpn_sampler.positive_share = r.positive_fraction;
  o.rpn_coder.clamp_both_sides = m.delta_clamp == "both";
  o.rpn_loss.normaliser = word_to<RpnNormaliser>(r.loss_normalizer, {{"mmdet", RpnNormaliser::mmdet},
                                                                     {"torchvision", RpnNormaliser::torchvision},
                                                                     {"detectron2", RpnNormaliser::detectron2}});
  o.rpn_loss.per_image = double(r.batch_size_per_image);
  o.rpn_loss.beta = r.smooth_l1_beta;
  o.train_proposals = proposal_options(m, true);
  o.test_proposals = proposal_options(m, false);
  o.rpn_objectness_weight = r.loss_weight;
  o.rpn_box_weight = r.bbox_loss_weight;
}

std::optional<NormalizedOptions> normalized(const std::string& word, const NormalizedConfig& n) {
  if (word == "linear") return std::nullopt;
  return NormalizedOptions{n.temperature, n.power, n.eps};
}

CascadeOptions cascade_options(const ModelConfig& m) {
  CascadeOptions o;
  if (m.meta != "cascade_mask_rcnn") return o;
  const CascadeConfig& c = m.cascade;
  for (size_t s = 0; s < c.iou_thresholds.size(); ++s) {
    CascadeStage& stage = o.stages.emplace_back();
    stage.iou = c.iou_thresholds[s];
    std::copy_n(c.bbox_weights.begin() + std::ptrdiff_t(4 * s), 4, stage.delta_weights.begin());
    stage.loss_weight = c.loss_weights[s];
  }
  o.resample = c.resample;
  o.mask_head_each_stage = c.mask_heads == "each_stage";
  o.mean_of_logits = c.scores == "mean_of_logits";
  o.gradient_scale = c.gradient_scale;
  return o;
}

void set_heads(const ModelConfig& m, MaskRcnnOptions& o) {
  const RoiConfig& r = m.roi;
  o.truth_place = word_to<TruthPlace>(
      r.append_gt, {{"prepend", TruthPlace::first}, {"append", TruthPlace::last}, {"no", TruthPlace::nowhere}});
  o.roi_matcher.positive = o.roi_matcher.negative = o.roi_matcher.low_quality_minimum = r.iou_threshold;
  o.roi_matcher.low_quality = low_quality(r.low_quality);
  o.roi_matcher.min_union = m.iou_min_union;
  o.roi_sampler.total = r.batch_size_per_image;
  o.roi_sampler.positive_share = r.positive_fraction;
  std::copy(r.bbox_weights.begin(), r.bbox_weights.end(), o.roi_coder.weights.begin());
  o.roi_coder.clamp_both_sides = m.delta_clamp == "both";
  o.level_rule = word_to<LevelRule>(r.level_rule, {{"mmdet", LevelRule::mmdet},
                                                   {"torchvision", LevelRule::torchvision},
                                                   {"detectron2", LevelRule::detectron2},
                                                   {"mmdet1", LevelRule::mmdet1}});
  for (RoiAlignOptions* pool : {&o.box_pool, &o.mask_pool}) {
    pool->aligned = r.pooler_aligned;
    pool->sampling_ratio = r.pooler_sampling;
  }
  o.box_pool.output_size = o.box_head.pooled = m.box_head.pooled;
  o.box_head.width = m.box_head.width;
  o.box_head.class_agnostic = m.box_head.class_agnostic;
  o.box_head.agnostic_below = m.box_head.agnostic_below;
  o.box_head.agnostic_by_instances = m.box_head.agnostic_by == "instances";
  o.box_head.normalized = normalized(m.box_head.classifier, m.box_head.normalized);
  o.box_head.loss = m.box_head.loss;
  o.box_head.pytorch_init = m.box_head.init == "torchvision";
  o.box_beta = r.smooth_l1_beta;
  o.class_weight = m.box_head.class_loss_weight;
  o.box_weight = m.box_head.bbox_loss_weight;
  o.mask_pool.output_size = m.mask_head.pooled;
  o.mask_head.convolutions = m.mask_head.convolutions;
  o.mask_head.width = m.mask_head.width;
  o.mask_head.class_agnostic = m.mask_head.class_agnostic;
  o.mask_head.agnostic_below = m.mask_head.agnostic_below;
  o.mask_head.agnostic_by_instances = m.mask_head.agnostic_by == "instances";
  o.mask_head.normalized = normalized(m.mask_head.predictor, m.mask_head.normalized);
  o.mask_targets.rule = word_to<MaskTargetRule>(m.mask_head.targets, {{"bitmap", MaskTargetRule::bitmap_aligned},
                                                                      {"soft_bitmap", MaskTargetRule::bitmap_soft},
                                                                      {"polygon", MaskTargetRule::polygon}});
  o.mask_targets.size = 2 * m.mask_head.pooled;
  o.mask_targets.smallest_roi = m.mask_head.polygon_min_size;
  o.mask_frame_is_padded = m.mask_head.frame == "padded";
  o.mask_weight = m.mask_head.loss_weight;
}

}  // namespace

ClassStatistics class_statistics(const AnnotationSet& set) {
  const auto classes = static_cast<size_t>(set.class_count());
  ClassStatistics out{std::vector<int64_t>(classes, 0), std::vector<int64_t>(classes, 0), 0};
  std::vector<int32_t> last_image(classes, -1);
  for (int32_t image = 0; image < set.images.size(); ++image) {
    for (const int32_t annotation : set.by_image[image]) {
      const auto label = static_cast<size_t>(set.annotations.label[static_cast<size_t>(annotation)]);
      ++out.instances[label];
      if (last_image[label] != image) ++out.images[label];
      last_image[label] = image;
    }
    out.annotated_images += !set.by_image[image].empty();
  }
  return out;
}

MaskRcnnOptions model_options(const Config& config, int64_t classes, const ClassStatistics& statistics) {
  const ModelConfig& m = config.model;
  TS_CHECK(m.num_classes == 0 || m.num_classes == classes, "model.num_classes is ", m.num_classes,
           ", but the data have ", classes, " classes; 0 takes the number from the data");
  MaskRcnnOptions o;
  o.classes = classes;
  o.bfloat16 = m.precision == "bfloat16";
  o.watch_class_gradients = config.train.gradients_every > 0 && !config.calibration.used();  // of the detector's head
  o.backbone = backbone_options(m);
  o.fpn.channels = m.fpn_channels;
  o.fpn.kaiming_init = m.fpn_init == "kaiming";
  set_rpn(m, o);
  set_heads(m, o);
  o.cascade = cascade_options(m);
  o.box_head.statistics = statistics;
  if (config.calibration.used()) o.calibration = calibration_options(config);
  o.postprocess.score_threshold = config.test.score_threshold;
  o.postprocess.nms_threshold = config.test.nms_threshold;
  o.postprocess.max_detections = config.test.detections_per_image;
  o.postprocess.smallest_side = config.test.min_box_size;
  o.postprocess.rescale_before_nms = config.test.rescale_before_nms;
  o.postprocess.drop_empty = config.test.drop_empty;
  o.postprocess.coder = o.roi_coder;
  return o;
}

MathMode math_mode(const Config& config) {
  return config.model.precision == "tf32" ? MathMode::tf32 : MathMode::float32;
}

MaskPasteRule mask_paste_rule(const Config& config) {
  return config.test.mask_paste == "padded" ? MaskPasteRule::torchvision : MaskPasteRule::bilinear;
}

}  // namespace tailseg
