// The presets of the configuration and those of the model were written apart, both from METHODS: they must agree.
#include "apps/config/model_options.h"

#include <catch2/catch.hpp>

#include "tensor/error.h"

using namespace tailseg;

namespace {

void check_same(const BoxCoderOptions& a, const BoxCoderOptions& b) {
  CHECK(a.weights == b.weights);
  CHECK(a.largest_log == b.largest_log);
  CHECK(a.clamp_both_sides == b.clamp_both_sides);
}

void check_same(const MatcherOptions& a, const MatcherOptions& b) {
  CHECK(a.positive == b.positive);
  CHECK(a.negative == b.negative);
  CHECK(a.low_quality == b.low_quality);
  CHECK(a.low_quality_minimum == b.low_quality_minimum);
  CHECK(a.min_union == b.min_union);
  CHECK(a.ignore_threshold == b.ignore_threshold);
}

void check_same(const ProposalOptions& a, const ProposalOptions& b) {
  CHECK(a.score == b.score);
  CHECK(a.per_level == b.per_level);
  CHECK(a.most == b.most);
  CHECK(a.nms_threshold == b.nms_threshold);
  CHECK(a.smallest == b.smallest);
  CHECK(a.smallest_counts == b.smallest_counts);
  check_same(a.coder, b.coder);
}

void check_same(const SamplerOptions& a, const SamplerOptions& b) {
  CHECK(a.total == b.total);
  CHECK(a.positive_share == b.positive_share);
  CHECK(a.take_all == b.take_all);
}

void check_same(const RoiAlignOptions& a, const RoiAlignOptions& b) {
  CHECK(a.output_size == b.output_size);
  CHECK(a.sampling_ratio == b.sampling_ratio);
  CHECK(a.aligned == b.aligned);
}

void check_proposal_side(const MaskRcnnOptions& a, const MaskRcnnOptions& b) {
  CHECK(a.classes == b.classes);
  CHECK(a.backbone.depth == b.backbone.depth);
  CHECK(a.backbone.norm.kind == b.backbone.norm.kind);
  CHECK(a.backbone.norm.affine_trained == b.backbone.norm.affine_trained);
  CHECK(a.backbone.norm.eps == b.backbone.norm.eps);
  CHECK(a.backbone.norm.momentum == b.backbone.norm.momentum);
  CHECK(a.backbone.frozen_stages == b.backbone.frozen_stages);
  CHECK(a.backbone.stride_in_1x1 == b.backbone.stride_in_1x1);
  CHECK(a.backbone.width == b.backbone.width);
  CHECK(a.fpn.channels == b.fpn.channels);
  CHECK(a.fpn.kaiming_init == b.fpn.kaiming_init);
  CHECK(a.anchors.sizes == b.anchors.sizes);
  CHECK(a.anchors.ratios == b.anchors.ratios);
  CHECK(a.anchors.strides == b.anchors.strides);
  CHECK(a.anchors.round_base == b.anchors.round_base);
  CHECK(a.anchors.measured_strides == b.anchors.measured_strides);
  CHECK(a.ignore_padding_anchors == b.ignore_padding_anchors);
  CHECK(a.allowed_border == b.allowed_border);
  check_same(a.rpn_matcher, b.rpn_matcher);
  check_same(a.rpn_sampler, b.rpn_sampler);
  check_same(a.rpn_coder, b.rpn_coder);
  CHECK(a.rpn_loss.normaliser == b.rpn_loss.normaliser);
  CHECK(a.rpn_loss.per_image == b.rpn_loss.per_image);
  CHECK(a.rpn_loss.beta == b.rpn_loss.beta);
  check_same(a.train_proposals, b.train_proposals);
  check_same(a.test_proposals, b.test_proposals);
}

void check_head_side(const MaskRcnnOptions& a, const MaskRcnnOptions& b) {
  CHECK(a.truth_place == b.truth_place);
  check_same(a.roi_matcher, b.roi_matcher);
  check_same(a.roi_sampler, b.roi_sampler);
  check_same(a.roi_coder, b.roi_coder);
  CHECK(a.level_rule == b.level_rule);
  check_same(a.box_pool, b.box_pool);
  check_same(a.mask_pool, b.mask_pool);
  CHECK(a.box_head.pooled == b.box_head.pooled);
  CHECK(a.box_head.width == b.box_head.width);
  CHECK(a.box_head.class_agnostic == b.box_head.class_agnostic);
  CHECK(a.box_head.pytorch_init == b.box_head.pytorch_init);
  CHECK(a.mask_head.convolutions == b.mask_head.convolutions);
  CHECK(a.mask_head.width == b.mask_head.width);
  CHECK(a.mask_head.class_agnostic == b.mask_head.class_agnostic);
  CHECK(a.box_beta == b.box_beta);
  CHECK(a.mask_targets.rule == b.mask_targets.rule);
  CHECK(a.mask_targets.size == b.mask_targets.size);
  CHECK(a.mask_frame_is_padded == b.mask_frame_is_padded);
  CHECK(a.rpn_objectness_weight == b.rpn_objectness_weight);
  CHECK(a.rpn_box_weight == b.rpn_box_weight);
  CHECK(a.class_weight == b.class_weight);
  CHECK(a.box_weight == b.box_weight);
  CHECK(a.mask_weight == b.mask_weight);
  CHECK(a.postprocess.score_threshold == b.postprocess.score_threshold);
  CHECK(a.postprocess.nms_threshold == b.postprocess.nms_threshold);
  CHECK(a.postprocess.max_detections == b.postprocess.max_detections);
  CHECK(a.postprocess.smallest_side == b.postprocess.smallest_side);
  CHECK(a.postprocess.rescale_before_nms == b.postprocess.rescale_before_nms);
  CHECK(a.postprocess.drop_empty == b.postprocess.drop_empty);
  check_same(a.postprocess.coder, b.postprocess.coder);
}

}  // namespace

TEST_CASE("preset mmdet is the model's mmdet") {
  const MaskRcnnOptions options = model_options(load_config(""), 80);
  check_proposal_side(options, MaskRcnnOptions::mmdet(80));
  check_head_side(options, MaskRcnnOptions::mmdet(80));
  const InputConfig input = train_input(load_config("")), reference = input_preset(Convention::kMmdetection);
  CHECK(input.size_rule == reference.size_rule);
  CHECK(input.resampler == reference.resampler);
  CHECK(input.mean == reference.mean);
  CHECK(input.std == reference.std);
}

TEST_CASE("preset torchvision is the model's torchvision") {
  const Config config = load_config("", {"preset=torchvision"});
  const MaskRcnnOptions options = model_options(config, 90);
  check_proposal_side(options, MaskRcnnOptions::torchvision(90));
  check_head_side(options, MaskRcnnOptions::torchvision(90));
  CHECK(mask_paste_rule(config) == MaskPasteRule::torchvision);
  const InputConfig input = test_input(config), reference = input_preset(Convention::kTorchvision);
  CHECK(input.size_rule == reference.size_rule);
  CHECK(input.box_rule == reference.box_rule);
  CHECK(input.target_rule == reference.target_rule);
  CHECK(input.resampler == reference.resampler);
  CHECK(input.short_edges == std::vector<int64_t>{800});
  CHECK(input.flip_probability == 0);
}

TEST_CASE("preset detectron2: METHODS' column, as far as the presets of the model have none") {
  const MaskRcnnOptions o = model_options(load_config("", {"preset=detectron2"}), 80);
  CHECK(o.backbone.stride_in_1x1);
  CHECK(o.rpn_matcher.low_quality == LowQuality::keep_argmax);
  CHECK(o.rpn_loss.normaliser == RpnNormaliser::detectron2);
  CHECK(o.train_proposals.score == RpnScore::logit);
  CHECK(o.truth_place == TruthPlace::last);
  CHECK(o.level_rule == LevelRule::detectron2);
  CHECK(o.mask_targets.rule == MaskTargetRule::polygon);
  CHECK(o.mask_targets.smallest_roi == 0.1);
  CHECK(o.postprocess.drop_empty);
  CHECK_FALSE(o.rpn_coder.clamp_both_sides);
}

TEST_CASE("settings reach the structs they are meant for") {
  const Config config = load_config(
      "", {"model.backbone=resnet18", "model.norm=batch", "model.frozen_stages=-1", "model.fpn_channels=64",
           "model.rpn.iou_positive=0.6", "model.roi.batch_size_per_image=64", "model.box_head.width=128",
           "model.mask_head.pooled=7", "test.score_threshold=0.2", "solver.ims_per_batch=4", "data.workers=3",
           "data.root=/data", "solver.optimizer=adamw", "solver.clip_norm=35", "train.seed=9"});
  const MaskRcnnOptions o = model_options(config, 24);
  CHECK(o.backbone.depth == 18);
  CHECK(o.backbone.norm.kind == NormKind::batch);
  CHECK(o.backbone.frozen_stages == -1);
  CHECK(o.fpn.channels == 64);
  CHECK(o.rpn_matcher.positive == 0.6);
  CHECK(o.roi_sampler.total == 64);
  CHECK(o.box_head.width == 128);
  CHECK(o.mask_targets.size == 14);
  CHECK(o.postprocess.score_threshold == 0.2);
  const LoaderConfig loader = loader_config(config, "/data/train2017", true);
  CHECK(loader.root == "/data/train2017");
  CHECK(loader.batch_size == 4);
  CHECK(loader.workers == 3);
  CHECK(loader.seed == 9);
  CHECK(loader.masks == MaskForm::kBitmaps);
  CHECK(optimizer_options(config).kind == OptimizerKind::adamw);
  CHECK(optimizer_options(config).clip_norm == 35);
  CHECK_THROWS_WITH(model_options(load_config("", {"model.num_classes=80"}), 24),
                    Catch::Contains("model.num_classes is 80, but the data have 24"));
}

TEST_CASE("the schedule counts in steps or in epochs") {
  const Config epochs = load_config("", {"solver.ims_per_batch=8"});
  CHECK(total_iterations(epochs, 100) == 1200);
  const Schedule schedule = learning_rate_schedule(epochs, 100);
  CHECK(schedule.milestones == std::vector<int64_t>{800, 1100});
  CHECK(schedule.base_lr == Approx(0.01));
  CHECK(schedule.at(600) == Approx(0.01));
  CHECK(schedule.at(800) == Approx(0.001));
  const Config steps = load_config(
      "", {"solver.max_iters=90", "solver.steps=[60, 80]", "solver.scale_lr=false", "solver.warmup_iters=0"});
  CHECK(total_iterations(steps, 100) == 90);
  CHECK(learning_rate_schedule(steps, 100).milestones == std::vector<int64_t>{60, 80});
  CHECK(learning_rate_schedule(steps, 100).at(0) == Approx(0.02));
}
