// Every setting of a run, as plain structs. The initial values are those of the preset `mmdet`; presets.cpp has what
// the other presets change, the files that config_schema.cpp names have the keys, comments and limits,
// apps/configs/README.md the names that detectron2 and mmdetection use for the same things. Which reference does what,
// and why it changes numbers: METHODS 5 and 6.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "apps/config/schema.h"
#include "detection/losses/class_loss.h"

namespace tailseg {

struct AnchorConfig {
  std::vector<double> sizes{32, 64, 128, 256, 512};  // pixels, one a level P2..P6
  std::vector<double> aspect_ratios{0.5, 1.0, 2.0};  // height / width
  bool rounded = false;
  std::string stride = "nominal";
};

struct RpnConfig {
  double iou_positive = 0.7, iou_negative = 0.3;
  std::string low_quality = "reassign";
  double low_quality_min_iou = 0.3;
  int64_t boundary_threshold = -1;
  bool ignore_padding = true;
  int64_t batch_size_per_image = 256;
  double positive_fraction = 0.5;
  std::string loss_normalizer = "mmdet";
  double smooth_l1_beta = 0;
  double loss_weight = 1, bbox_loss_weight = 1;
  std::string score = "probability";
  int64_t pre_nms_topk_train = 2000, pre_nms_topk_test = 1000;
  int64_t post_nms_topk_train = 1000, post_nms_topk_test = 1000;
  double nms_threshold = 0.7;
  double min_box_size = 0;
  bool min_box_inclusive = false;
};

struct RoiConfig {
  std::string append_gt = "prepend";
  double iou_threshold = 0.5;
  std::string low_quality = "reassign";
  int64_t batch_size_per_image = 512;
  double positive_fraction = 0.25;
  std::vector<double> bbox_weights{10, 10, 5, 5};
  double smooth_l1_beta = 0;
  bool pooler_aligned = true;
  int64_t pooler_sampling = 0;
  std::string level_rule = "mmdet";
};

struct CascadeConfig {
  std::vector<double> iou_thresholds{0.5, 0.6, 0.7}, loss_weights{1, 0.5, 0.25};
  std::vector<double> bbox_weights{10, 10, 5,  5,  // four a stage
                                   20, 20, 10, 10, 1 / 0.033, 1 / 0.033, 1 / 0.067, 1 / 0.067};
  bool resample = true;
  std::string mask_heads = "each_stage", scores = "mean_of_logits";
  double gradient_scale = 1;
};

struct NormalizedConfig {
  double temperature = 20, power = 1, eps = 1e-6;
};

// Which classes share the filters of a predictor.
struct SharingConfig {
  bool class_agnostic = false;
  int64_t agnostic_below = 0;
  std::string agnostic_by = "images";
};

struct BoxHeadConfig : SharingConfig {
  int64_t pooled = 7, width = 1024;
  std::string classifier = "linear";
  NormalizedConfig normalized;
  std::string init = "mmdet";
  double class_loss_weight = 1, bbox_loss_weight = 1;
  LossSettings loss;
  std::string loss_state;
};

struct MaskHeadConfig : SharingConfig {
  int64_t pooled = 14, convolutions = 4, width = 256;
  std::string predictor = "linear";
  NormalizedConfig normalized;
  std::string targets = "bitmap", frame = "padded";
  double polygon_min_size = 1;
  double loss_weight = 1;
};

struct ModelConfig {
  std::string meta = "mask_rcnn";
  std::string precision = "float32";
  std::string backbone = "resnet50";
  int64_t backbone_width = 64;
  int64_t groups = 1, width_per_group = 64;  // ResNeXt-50 32x4d: 32 and 4
  bool stride_in_1x1 = false;
  std::string norm = "frozen";
  double norm_eps = 1e-5, norm_momentum = 0.1;
  bool affine_trained = true;
  int64_t frozen_stages = 1;
  int64_t fpn_channels = 256;
  std::string fpn_init = "xavier";
  int64_t num_classes = 0;
  std::string delta_clamp = "both";
  double iou_min_union = 1e-6;
  std::string weights;
  AnchorConfig anchors;
  RpnConfig rpn;
  RoiConfig roi;
  CascadeConfig cascade;
  BoxHeadConfig box_head;
  MaskHeadConfig mask_head;
};

struct DataConfig {
  std::string root = ".", format = "auto";
  std::string train_annotations, train_images, val_annotations, val_images;
  std::vector<int64_t> val_image_ids;
  std::vector<int64_t> scales{640, 672, 704, 736, 768, 800};
  int64_t max_size = 1333, test_scale = 800, test_max_size = 1333;
  std::string resize = "opencv", size_rule = "mmdet", box_rule = "mmdet", target_rule = "mmdet";
  double flip_prob = 0.5;
  std::vector<double> pixel_mean{123.675, 116.28, 103.53}, pixel_std{58.395, 57.12, 57.375};
  int64_t size_divisor = 32;
  std::vector<int64_t> buckets, test_buckets;
  bool aspect_grouping = true;
  std::string empty_photos = "drop";
  int64_t workers = 2;
  std::string on_bad_photo = "stop";
};

struct SolverConfig {
  std::string optimizer = "sgd";
  int64_t ims_per_batch = 16, reference_batch = 16;
  double base_lr = 0.02;
  bool scale_lr = true;
  double momentum = 0.9, weight_decay = 1e-4, weight_decay_norm = 1e-4;
  double beta1 = 0.9, beta2 = 0.999, adam_eps = 1e-8;
  std::string schedule = "step";
  int64_t epochs = 12;
  std::vector<int64_t> step_epochs{8, 11};
  int64_t max_iters = 0;
  std::vector<int64_t> steps;
  double gamma = 0.1;
  int64_t warmup_iters = 500;
  double warmup_factor = 0.001;
  double clip_norm = 0;
};

struct TestConfig {
  double score_threshold = 0.05, nms_threshold = 0.5;
  int64_t detections_per_image = 100;
  double min_box_size = 0;
  bool drop_empty = false;
  bool rescale_before_nms = true;
  std::string mask_paste = "sampled";
  double mask_threshold = 0.5;
  bool capture = false;
};

struct SamplerConfig {
  std::string type = "random";
  double threshold = 1e-3, exponent = 0.5;
  std::string frequency = "image", rounding = "ceil";
  int64_t photos_per_class = 1, epoch_batches = 0;
  int64_t class_cap = 100;
  double class_power = 0;
};

struct TrainConfig {
  int64_t seed = 0;
  std::string device = "auto";
  int64_t log_every = 20, checkpoint_every = 1000, eval_every = 0, keep_checkpoints = 2;
  bool analysis = false, capture = false;
  int64_t gradients_every = 0;
  SamplerConfig sampler;
};

// A second classifier, trained beside a finished detector's (tailseg-calibrate). Recipes: recipes.h.
struct CalibrationConfig {
  std::string recipe = "none";
  std::string head = "3fc_ft", classifier = "detector";
  NormalizedConfig normalized;
  double tau = 1;
  std::string distance = "cosine";
  double temperature = 20;
  std::string proposals = "drawn_class";
  std::string inference = "select";
  int64_t threshold = 100;
  bool strict = true;
  LossSettings loss;
  SamplerConfig sampler;
  SolverConfig solver;

  bool used() const { return recipe != "none"; }
};

struct Config {
  std::string preset = "mmdet";
  std::string output;
  ModelConfig model;
  DataConfig data;
  SolverConfig solver;
  TestConfig test;
  TrainConfig train;
  CalibrationConfig calibration;

  // The learning rate that is used: base_lr, times ims_per_batch / reference_batch with scale_lr.
  double learning_rate() const;
};

// The schema over one Config, which must outlive it.
ConfigSchema config_schema(Config& config);

// Reads a file, the chain of files it names as `base` (relative to itself), and overrides "key=value", later ones
// winning; the preset that is named last is put underneath all of them. An empty path stands for the preset alone.
// Throws Error (file and line) for unknown or unfit settings, a cycle of bases, and settings that contradict each
// other.
Config load_config(const std::string& path, const std::vector<std::string>& overrides = {});

// The same for text that config_toml wrote, which names no base; `source` stands for the file in messages.
Config parse_config(const std::string& toml, const std::string& source, const std::vector<std::string>& overrides = {});

// What `now` has otherwise than `before`, one line a setting: "solver.base_lr: 0.02 -> 0.01". The output folder is left
// out.
std::vector<std::string> changed_settings(const Config& before, const Config& now);

// The whole configuration as TOML; read back it gives the same configuration. Equal configs give equal text.
std::string config_toml(const Config& config, bool comments = true);

}  // namespace tailseg
