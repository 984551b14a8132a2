// The presets of the configuration and those of the model were written apart, both from METHODS: they must agree.
#include "apps/config/model_options.h"
#include "apps/config/data_options.h"
#include "apps/config/solver_options.h"

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

TEST_CASE("buckets are written as height and width") {
  const Config config = load_config("", {"data.buckets=[800, 1344, 1344, 800]", "data.test_buckets=[832, 1344]"});
  CHECK(train_input(config).buckets ==
        std::vector<ImageSize>{{.width = 1344, .height = 800}, {.width = 800, .height = 1344}});
  CHECK(test_input(config).buckets == std::vector<ImageSize>{{.width = 1344, .height = 832}});
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

namespace {

void check_cascade(const CascadeOptions& a, const CascadeOptions& b) {
  REQUIRE(a.stages.size() == b.stages.size());
  for (size_t s = 0; s < a.stages.size(); ++s) {
    CHECK(a.stages[s].iou == b.stages[s].iou);
    CHECK(a.stages[s].delta_weights == b.stages[s].delta_weights);
    CHECK(a.stages[s].loss_weight == b.stages[s].loss_weight);
  }
  CHECK(a.resample == b.resample);
  CHECK(a.mask_head_each_stage == b.mask_head_each_stage);
  CHECK(a.mean_of_logits == b.mean_of_logits);
  CHECK(a.gradient_scale == Approx(b.gradient_scale).epsilon(1e-15));
}

}  // namespace

TEST_CASE("cascades: the presets are the model's, and METHODS 2.5's columns beside them") {
  CHECK(model_options(load_config(""), 80).cascade.stages.empty());
  const std::string meta = "model.meta=cascade_mask_rcnn";
  const MaskRcnnOptions mmdet = model_options(load_config("", {meta}), 80);
  check_cascade(mmdet.cascade, CascadeOptions::mmdet());
  CHECK(mmdet.box_head.class_agnostic);
  CHECK_FALSE(mmdet.mask_head.class_agnostic);
  CHECK(mmdet.box_beta == 1);
  CHECK(mmdet.rpn_loss.beta == 1.0 / 9);
  CHECK(mmdet.allowed_border == 0);
  CHECK(mmdet.train_proposals.most == 2000);
  CHECK(mmdet.test_proposals.most == 1000);
  CHECK(mmdet.roi_matcher.low_quality == LowQuality::off);
  const MaskRcnnOptions detectron2 = model_options(load_config("", {"preset=detectron2", meta}), 80);
  check_cascade(detectron2.cascade, CascadeOptions::detectron2());
  CHECK(detectron2.box_beta == 0);
  CHECK(detectron2.rpn_loss.beta == 0);
  CHECK(detectron2.allowed_border == -1);
  CHECK(detectron2.train_proposals.most == 2000);
  check_cascade(model_options(load_config("", {"preset=torchvision", meta}), 80).cascade, CascadeOptions::mmdet());
  // What a user says wins over what the cascade brings.
  CHECK(model_options(load_config("", {"model.rpn.post_nms_topk_train=500", meta}), 80).train_proposals.most == 500);
}

TEST_CASE("cascades that do not fit together are refused") {
  const std::string meta = "model.meta=cascade_mask_rcnn";
  CHECK_THROWS_WITH(load_config("", {meta, "model.box_head.class_agnostic=false"}),
                    Catch::Contains("model.box_head.class_agnostic must be true"));
  CHECK_THROWS_WITH(load_config("", {meta, "model.cascade.iou_thresholds=[0.5, 0.6]"}),
                    Catch::Contains("2 iou_thresholds, 3 loss_weights and 12 bbox_weights"));
  CHECK_THROWS_WITH(load_config("", {meta, "model.cascade.scores=mean"}), Catch::Contains("mean_of_logits"));
  CHECK_THROWS_WITH(load_config("", {"model.meta=cascade"}), Catch::Contains("cascade_mask_rcnn"));
  const std::string plain = config_toml(load_config(""), false), cascade = config_toml(load_config("", {meta}), false);
  CHECK_THAT(plain, !Catch::Contains("[model.cascade]"));
  CHECK_THAT(cascade, Catch::Contains("[model.cascade]") && Catch::Contains("meta = \"cascade_mask_rcnn\""));
}

TEST_CASE("heads: normalised predictors and filters that the tail shares") {
  const MaskRcnnOptions plain = model_options(load_config(""), 3);
  CHECK_FALSE(plain.box_head.normalized);
  CHECK_FALSE(plain.mask_head.normalized);
  CHECK(plain.box_head.agnostic_below == 0);
  const ClassStatistics statistics{{5, 20, 300}, {7, 25, 900}, 310};
  const Config config =
      load_config("", {"model.box_head.classifier=normalized", "model.box_head.normalized.temperature=30",
                       "model.mask_head.predictor=normalized", "model.mask_head.normalized.eps=1e-3",
                       "model.box_head.agnostic_below=11", "model.mask_head.agnostic_below=101",
                       "model.mask_head.agnostic_by=instances"});
  const MaskRcnnOptions o = model_options(config, 3, statistics);
  REQUIRE(o.box_head.normalized);
  CHECK(o.box_head.normalized->temperature == 30);
  CHECK(o.box_head.normalized->eps == 1e-6);
  REQUIRE(o.mask_head.normalized);
  CHECK(o.mask_head.normalized->temperature == 20);
  CHECK(o.mask_head.normalized->eps == 1e-3);
  CHECK(o.box_head.agnostic_below == 11);
  CHECK_FALSE(o.box_head.agnostic_by_instances);
  CHECK(o.mask_head.agnostic_below == 101);
  CHECK(o.mask_head.agnostic_by_instances);
  CHECK_THROWS_WITH(load_config("", {"model.box_head.class_agnostic=true", "model.box_head.agnostic_below=11"}),
                    Catch::Contains("agnostic_below has no meaning"));
  CHECK_THROWS_WITH(load_config("", {"model.mask_head.class_agnostic=true", "model.mask_head.agnostic_below=11"}),
                    Catch::Contains("agnostic_below has no meaning"));
  CHECK_THAT(config_toml(load_config(""), false), !Catch::Contains("temperature"));
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
