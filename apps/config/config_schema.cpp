// The keys of the configuration, in the order in which they are written, with their meaning and limits.
#include "apps/config/config.h"
#include "apps/config/recipes.h"
#include "datasets/samplers/photo_sampler.h"

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

// The loss by name, and a table of options for each loss in the list.
void add_class_loss(ConfigSchema& s, const std::string& group, LossSettings& loss,
                    std::vector<std::string> names = {}) {
  for (const auto& options : loss.all()) names.push_back(options->name());
  s.add(group + "type", &loss.type, "classification loss: detection/losses/README.md").choices(names);
  for (const auto& options : loss.all()) {
    for (const LossKnob& knob : options->knobs()) {
      const auto target = std::visit([](auto* field) -> ConfigField::Target { return field; }, knob.field);
      s.add(group + options->name() + "." + knob.name, target, knob.comment)
          .range(knob.low, knob.high)
          .choices(knob.words)
          .only_with(&loss.type, options->name());
    }
  }
}

void add_sharing(ConfigSchema& s, const std::string& group, const std::string& what, SharingConfig& c) {
  s.add(group + "class_agnostic", &c.class_agnostic, "one " + what + " for all classes");
  s.add(group + "agnostic_below", &c.agnostic_below,
        "classes with fewer training images share one " + what + " (11: rare in LVIS's sense); 0: each has its own")
      .range(0, 1e9);
  s.add(group + "agnostic_by", &c.agnostic_by, "what agnostic_below counts").choices({"images", "instances"});
}

// Written only with the word "normalized".
void add_normalized(ConfigSchema& s, const std::string& group, const std::string& choice, NormalizedConfig& n) {
  s.add(group + "temperature", &n.temperature, "of the normalised input")
      .range(1e-6, 1e6)
      .only_with(&choice, "normalized");
  s.add(group + "power", &n.power, "of the lengths that are divided by").range(0, 10).only_with(&choice, "normalized");
  s.add(group + "eps", &n.eps, "added to them").range(1e-30, 1).only_with(&choice, "normalized");
}

void add_roi(ConfigSchema& s, RoiConfig& r) {
  s.add("model.roi.append_gt", &r.append_gt, "objects' own boxes among the proposals")
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
  s.add("model.roi.level_rule", &r.level_rule, "rounding of the FPN level of a box")
      .choices({"mmdet", "torchvision", "detectron2"});
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
  s.add("model.mask_head.frame", &m.frame, "bitmap targets end with the padded batch, or with the image")
      .choices({"padded", "image"});
  s.add("model.mask_head.polygon_min_size", &m.polygon_min_size, "smallest box for polygon targets, pixels")
      .range(0, 100);
  s.add("model.mask_head.loss_weight", &m.loss_weight, "").range(0, 1e6);
  add_normalized(s, "model.mask_head.normalized.", m.predictor, m.normalized);
}

void add_data(ConfigSchema& s, DataConfig& d) {
  s.add("data.root", &d.root,
        "the paths below are relative to this folder, which is relative to where the program runs");
  s.add("data.format", &d.format, "auto: by the file's own fields").choices({"auto", "coco", "lvis"});
  s.add("data.train_annotations", &d.train_annotations, "");
  s.add("data.train_images", &d.train_images, "folder");
  s.add("data.val_annotations", &d.val_annotations, "");
  s.add("data.val_images", &d.val_images, "folder");
  s.add("data.val_image_ids", &d.val_image_ids,
        "hold these images of train_annotations out and validate on them; val_annotations is then not read");
  s.add("data.scales", &d.scales, "short side in training, one drawn per image").range(1, 1e5);
  s.add("data.max_size", &d.max_size, "long side in training, at most").range(1, 1e5);
  s.add("data.test_scale", &d.test_scale, "short side in evaluation").range(1, 1e5);
  s.add("data.test_max_size", &d.test_max_size, "long side in evaluation, at most").range(1, 1e5);
  s.add("data.resize", &d.resize, "whose bilinear").choices({"opencv", "pillow", "torch"});
  const std::vector<std::string> references{"mmdet", "torchvision", "detectron2"};
  s.add("data.size_rule", &d.size_rule, "whose rounding of the resized size").choices(references);
  s.add("data.box_rule", &d.box_rule, "whose scaling and clipping of boxes").choices(references);
  s.add("data.target_rule", &d.target_rule, "whose choice of annotations and photos to train on").choices(references);
  s.add("data.flip_prob", &d.flip_prob, "horizontal").range(0, 1);
  s.add("data.pixel_mean", &d.pixel_mean, "red, green, blue, 0 to 255").length(3).range(-1e4, 1e4);
  s.add("data.pixel_std", &d.pixel_std, "").length(3).positive();
  s.add("data.size_divisor", &d.size_divisor, "images are padded to multiples of this").range(1, 1024);
  s.add("data.aspect_grouping", &d.aspect_grouping,
        "batches of wide or of tall images only (samplers random and repeat_factor)");
  s.add("data.empty_photos", &d.empty_photos,
        "photos without annotations to train on; as_class: kept, and repeated like those of one more class")
      .choices({"drop", "keep", "as_class"});
  s.add("data.workers", &d.workers, "loader threads; 0: load in the training thread").range(0, 256);
  s.add("data.on_bad_photo", &d.on_bad_photo, "a photo that is missing or damaged").choices({"stop", "skip"});
}

void add_solver(ConfigSchema& s, const std::string& group, SolverConfig& v) {
  s.add(group + "optimizer", &v.optimizer, "").choices({"sgd", "adamw"});
  s.add(group + "ims_per_batch", &v.ims_per_batch, "images per step").range(1, 65536);
  s.add(group + "base_lr", &v.base_lr, "learning rate at reference_batch images per step").positive();
  s.add(group + "reference_batch", &v.reference_batch, "").range(1, 65536);
  s.add(group + "scale_lr", &v.scale_lr, "use base_lr * ims_per_batch / reference_batch");
  s.add(group + "momentum", &v.momentum, "sgd").range(0, 1);
  s.add(group + "weight_decay", &v.weight_decay, "").range(0, 1);
  s.add(group + "weight_decay_norm", &v.weight_decay_norm, "of batch norms' scale and offset").range(0, 1);
  s.add(group + "beta1", &v.beta1, "adamw").range(0, 1);
  s.add(group + "beta2", &v.beta2, "adamw").range(0, 1);
  s.add(group + "adam_eps", &v.adam_eps, "adamw").positive();
  s.add(group + "schedule", &v.schedule, "").choices({"step", "cosine"});
  s.add(group + "epochs", &v.epochs, "length of the run, when max_iters is 0").range(0, 1e9);
  s.add(group + "step_epochs", &v.step_epochs, "epochs after which the learning rate falls").range(0, 1e9);
  s.add(group + "max_iters", &v.max_iters, "length of the run in steps; 0: epochs counts").range(0, 1e15);
  s.add(group + "steps", &v.steps, "steps at which the learning rate falls, with max_iters").range(0, 1e15);
  s.add(group + "gamma", &v.gamma, "by this factor").range(0, 1);
  s.add(group + "warmup_iters", &v.warmup_iters, "linear").range(0, 1e9);
  s.add(group + "warmup_factor", &v.warmup_factor, "from this share of the learning rate").range(0, 1);
  s.add(group + "clip_norm", &v.clip_norm, "L2 norm of the whole gradient, at most; 0: no limit").range(0, 1e9);
}

void add_sampler(ConfigSchema& s, const std::string& group, SamplerConfig& v) {
  std::vector<std::string> names;
  for (const PhotoSamplerRow& row : photo_samplers()) names.emplace_back(row.name);
  s.add(group + "type", &v.type, "which photos an epoch shows; datasets/samplers/README.md").choices(names);
  s.add(group + "threshold", &v.threshold, "repeat_factor: t; classes in a larger share of photos stay as they are")
      .range(0, 1);
  s.add(group + "exponent", &v.exponent, "repeat_factor: r = (t / f)^exponent").range(0, 1);
  s.add(group + "frequency", &v.frequency, "repeat_factor: f is a share of the photos, or of the objects")
      .choices({"image", "instance"});
  s.add(group + "rounding", &v.rounding,
        "repeat_factor: ceil(r) copies in each epoch, or r on average, drawn anew each epoch")
      .choices({"ceil", "stochastic"});
  s.add(group + "photos_per_class", &v.photos_per_class, "class_balanced, bilevel: photos for each drawn class")
      .range(1, 65536);
  s.add(group + "epoch_batches", &v.epoch_batches,
        "class_balanced, bilevel: batches that count as an epoch; 0: photos of the largest class x classes, 1000 "
        "batches")
      .range(0, 1e9);
  s.add(group + "class_cap", &v.class_cap, "bilevel: classes are drawn by min(photos, class_cap)^class_power")
      .range(1, 1e9);
  s.add(group + "class_power", &v.class_power, "bilevel: 0 is uniform").range(0, 10);
}

void add_test_and_train(ConfigSchema& s, TestConfig& t, TrainConfig& r) {
  s.add("test.score_threshold", &t.score_threshold, "scores must be above").range(0, 1);
  s.add("test.nms_threshold", &t.nms_threshold, "").range(0, 1);
  s.add("test.detections_per_image", &t.detections_per_image, "").range(1, 1e6);
  s.add("test.min_box_size", &t.min_box_size, "drop smaller boxes, pixels").range(0, 1e4);
  s.add("test.drop_empty", &t.drop_empty, "drop boxes without area after clipping to the photo");
  s.add("test.rescale_before_nms", &t.rescale_before_nms, "boxes go to the original image's size before the threshold");
  s.add("test.mask_paste", &t.mask_paste, "sampled at pixel centres, or padded and resized to whole pixels")
      .choices({"sampled", "padded"});
  s.add("test.mask_threshold", &t.mask_threshold, "").range(0, 1);
  s.add(
      "test.capture", &t.capture,
      "on a GPU a prediction of each input shape is captured once and replayed: CUDA graphs (not yet seen on a card)");
  s.add("train.seed", &r.seed, "").range(0, 9e15);
  s.add("train.device", &r.device, "").choices({"auto", "cpu", "cuda"});
  s.add("train.log_every", &r.log_every, "steps").range(1, 1e9);
  s.add("train.checkpoint_every", &r.checkpoint_every, "steps; the end of the run always writes one").range(1, 1e9);
  s.add("train.eval_every", &r.eval_every, "steps; 0: at the end only").range(0, 1e9);
  s.add("train.keep_checkpoints", &r.keep_checkpoints, "good ones that stay").range(1, 1e6);
  s.add("train.analysis", &r.analysis,
        "last evaluation: also proposals, true labels, accuracy and weight norm of each class");
  s.add("train.gradients_every", &r.gradients_every,
        "steps between records of each class's positive and negative gradients; 0: none")
      .range(0, 1e9);
  s.add("train.capture", &r.capture,
        "a step of each input shape is captured once and replayed: CUDA graphs (not yet seen on a card: tests/GPU.md)");
  add_sampler(s, "train.sampler.", r.sampler);
}

// Written only with a recipe.
void add_calibration(ConfigSchema& s, CalibrationConfig& c) {
  std::vector<std::string> names{"none"};
  for (const Recipe& recipe : recipes()) names.emplace_back(recipe.name);
  s.add("calibration.recipe", &c.recipe, "gives the settings below their values; detection/calibration/README.md")
      .choices(names);
  s.add("calibration.head", &c.head, "what is trained beside the detector")
      .choices({"2fc_rand", "3fc_rand", "3fc_ft", "2fc_ncm", "classifier", "classifier_ft", "class_scale", "tau"});
  s.add("calibration.classifier", &c.classifier, "its last layer: linear, a cosine, or as the detector's")
      .choices({"detector", "linear", "normalized"});
  s.add("calibration.tau", &c.tau, "tau: weights are divided by their length to this power").range(0, 10);
  s.add("calibration.distance", &c.distance, "2fc_ncm: to the class means").choices({"cosine", "euclidean"});
  s.add("calibration.temperature", &c.temperature, "2fc_ncm: of the cosine").range(1e-6, 1e6);
  s.add("calibration.proposals", &c.proposals,
        "those of the class that a photo was drawn for and as many of the background, or all that are sampled")
      .choices({"drawn_class", "all"});
  s.add("calibration.inference", &c.inference,
        "select: classes below the threshold from the calibrated head, others from the detector's; average of both; or "
        "one of the two")
      .choices({"select", "average", "calibrated", "original"});
  s.add("calibration.threshold", &c.threshold, "T, in training instances: 100 for LVIS, 400 for COCO-LT; paper: 300")
      .range(0, 1e9);
  s.add("calibration.strict", &c.strict, "instances < T (released code), or <= T (paper)");
  add_normalized(s, "calibration.normalized.", c.classifier, c.normalized);
  add_class_loss(s, "calibration.loss.", c.loss, {"detector"});
  add_sampler(s, "calibration.sampler.", c.sampler);
  add_solver(s, "calibration.solver.", c.solver);
}

}  // namespace

ConfigSchema config_schema(Config& config) {
  ConfigSchema schema;
  schema.add("preset", &config.preset, "whose conventions, where the references differ")
      .choices({"mmdet", "torchvision", "detectron2"});
  schema.add("output", &config.output, "folder of the run");
  add_model(schema, config.model);
  add_proposals(schema, config.model.anchors, config.model.rpn);
  add_roi(schema, config.model.roi);
  add_cascade(schema, config.model.meta, config.model.cascade);
  add_heads(schema, config.model.box_head, config.model.mask_head);
  add_data(schema, config.data);
  add_solver(schema, "solver.", config.solver);
  add_test_and_train(schema, config.test, config.train);
  add_calibration(schema, config.calibration);
  schema.hide("calibration.", &config.calibration.recipe, "none");
  return schema;
}

}  // namespace tailseg
