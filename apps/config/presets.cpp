#include "apps/config/presets.h"

#include "tensor/error.h"

namespace tailseg {
namespace {

// clang-format off
constexpr PresetRow kRows[] = {
    // key                             METHODS  mmdet           torchvision     detectron2
    {"model.stride_in_1x1",             "5.1", "false",        "false",        "true"},  // with MSRA's weights
    {"model.affine_trained",            "5.1", "true",         "false",        "false"},
    {"model.fpn_init",                  "5.1", "'xavier'",     "'kaiming'",    "'kaiming'"},
    {"model.delta_clamp",               "5.3", "'both'",       "'upper'",      "'upper'"},
    {"model.iou_min_union",             "5.3", "1e-6",         "0",            "0"},
    {"model.anchors.rounded",           "5.2", "false",        "true",         "false"},
    {"model.anchors.stride",            "5.2", "'nominal'",    "'from_shape'", "'nominal'"},
    {"model.rpn.low_quality",           "5.2", "'reassign'",   "'keep_argmax'", "'keep_argmax'"},
    {"model.rpn.ignore_padding",        "5.2", "true",         "false",        "false"},
    {"model.rpn.loss_normalizer",       "5.2", "'mmdet'",      "'torchvision'", "'detectron2'"},
    {"model.rpn.smooth_l1_beta",        "5.2", "0",            "0.1111111111111111", "0"},
    {"model.rpn.score",                 "5.2", "'probability'", "'logit_then_probability'", "'logit'"},
    {"model.rpn.post_nms_topk_train",   "5.2", "1000",         "2000",         "1000"},
    {"model.rpn.min_box_size",          "5.2", "0",            "1e-3",         "0"},
    {"model.rpn.min_box_inclusive",     "5.2", "false",        "true",         "false"},
    {"model.roi.append_gt",             "5.3", "'prepend'",    "'append'",     "'append'"},
    {"model.roi.low_quality",           "5.3", "'reassign'",   "'off'",        "'off'"},
    {"model.roi.smooth_l1_beta",        "5.3", "0",            "0.1111111111111111", "0"},
    {"model.roi.pooler_aligned",        "2.7", "true",         "false",        "true"},
    {"model.roi.pooler_sampling",       "2.7", "0",            "2",            "0"},
    {"model.roi.level_rule",            "2.7", "'mmdet'",      "'torchvision'", "'detectron2'"},
    {"model.box_head.init",             "5.4", "'mmdet'",      "'torchvision'", "'mmdet'"},  // detectron2's is close
    {"model.mask_head.targets",         "5.3", "'bitmap'",     "'soft_bitmap'", "'polygon'"},
    {"model.mask_head.frame",           "5.3", "'padded'",     "'image'",      "'padded'"},
    {"model.mask_head.polygon_min_size", "5.3", "1",           "1",            "0.1"},
    {"data.scales",                     "6",   "[640, 672, 704, 736, 768, 800]", "[800]", "[640, 672, 704, 736, 768, 800]"},
    {"data.resize",                     "5.6", "'opencv'",     "'torch'",      "'pillow'"},
    {"data.size_rule",                  "5.6", "'mmdet'",      "'torchvision'", "'detectron2'"},
    {"data.box_rule",                   "5.6", "'mmdet'",      "'torchvision'", "'detectron2'"},
    {"data.target_rule",                "5.6", "'mmdet'",      "'torchvision'", "'detectron2'"},
    {"solver.weight_decay_norm",        "6",   "1e-4",         "1e-4",         "0"},
    {"solver.epochs",                   "6",   "12",           "26",           "0"},
    {"solver.step_epochs",              "6",   "[8, 11]",      "[16, 22]",     "[]"},
    {"solver.max_iters",                "6",   "0",            "0",            "90000"},
    {"solver.steps",                    "6",   "[]",           "[]",           "[60000, 80000]"},
    {"solver.warmup_iters",             "6",   "500",          "1000",         "1000"},
    {"train.sampler.rounding",          "3.2", "'ceil'",       "'stochastic'", "'stochastic'"},
    {"test.min_box_size",               "5.5", "0",            "1e-2",         "0"},
    {"test.drop_empty",                 "5.5", "false",        "false",        "true"},
    {"test.rescale_before_nms",         "5.5", "true",         "false",        "false"},
    {"test.mask_paste",                 "5.5", "'sampled'",    "'padded'",     "'sampled'"},
};

constexpr PresetRow kCascadeRows[] = {
    {"model.rpn.smooth_l1_beta",        "2.5", "0.1111111111111111", "0.1111111111111111", "0"},
    {"model.rpn.boundary_threshold",    "5.2", "0",            "0",            "-1"},
    {"model.rpn.post_nms_topk_train",   "2.5", "2000",         "2000",         "2000"},
    {"model.roi.low_quality",           "2.5", "'off'",        "'off'",        "'off'"},
    {"model.roi.smooth_l1_beta",        "2.5", "1",            "1",            "0"},
    {"model.box_head.class_agnostic",   "2.5", "true",         "true",         "true"},
    {"model.cascade.bbox_weights",      "2.5", "[10, 10, 5, 5, 20, 20, 10, 10, 30.3030303030303, 30.3030303030303, 14.925373134328357, 14.925373134328357]",
                                               "[10, 10, 5, 5, 20, 20, 10, 10, 30.3030303030303, 30.3030303030303, 14.925373134328357, 14.925373134328357]",
                                               "[10, 10, 5, 5, 20, 20, 10, 10, 30, 30, 15, 15]"},
    {"model.cascade.loss_weights",      "2.5", "[1, 0.5, 0.25]", "[1, 0.5, 0.25]", "[1, 1, 1]"},
    {"model.cascade.resample",          "2.5", "true",         "true",         "false"},
    {"model.cascade.mask_heads",        "2.5", "'each_stage'", "'each_stage'", "'first_stage'"},
    {"model.cascade.scores",            "2.5", "'mean_of_logits'", "'mean_of_logits'", "'mean_of_scores'"},
    {"model.cascade.gradient_scale",    "2.5", "1",            "1",            "0.3333333333333333"},
};
// clang-format on

const char* value_of(const PresetRow& row, const std::string& preset) {
  if (preset == "mmdet") return row.mmdet;
  if (preset == "torchvision") return row.torchvision;
  if (preset == "detectron2") return row.detectron2;
  fail("unknown preset '", preset, "', expected mmdet, torchvision or detectron2");
}

}  // namespace

std::span<const PresetRow> preset_rows() { return kRows; }

std::span<const PresetRow> cascade_rows() { return kCascadeRows; }

void apply_preset(const ConfigSchema& schema, const std::string& preset, bool cascade) {
  const auto apply = [&](std::span<const PresetRow> rows) {
    for (const PresetRow& row : rows) {
      ConfigEntry entry = parse_override(std::string(row.key) + "=" + value_of(row, preset));
      entry.where = "preset " + preset;
      schema.apply(entry);
    }
  };
  apply(preset_rows());
  if (cascade) apply(cascade_rows());
}

}  // namespace tailseg
