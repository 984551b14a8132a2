#include "apps/import/name_map.h"

#include <algorithm>
#include <cctype>
#include <cstring>
#include <span>
#include <string_view>

#include "tensor/error.h"

namespace tailseg {
namespace {

struct Rule {
  const char* pattern;
  const char* replacement;  // null: dropped, and the reason stands in `why`
  const char* why = nullptr;
};

constexpr const char* kClassifier = "classifier of the ImageNet pre-training";
constexpr const char* kCounter = "batch counter, not used by frozen or restored statistics";
constexpr const char* kConstant = "constant of the other system, not a weight";

constexpr Rule kTorchvision[] = {
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

constexpr Rule kDetectron2[] = {
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
constexpr Rule kCaffe2[] = {
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

constexpr Rule kMmdet[] = {
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
    {"data_preprocessor.mean", nullptr, kConstant},
    {"data_preprocessor.std", nullptr, kConstant},
};

const Rule* find_rule(std::span<const Rule> rules, const std::string& name, std::string& target) {
  for (const Rule& rule : rules) {
    if (auto mapped = match_name(rule.pattern, rule.replacement ? rule.replacement : "", name)) {
      target = *mapped;
      return &rule;
    }
  }
  return nullptr;
}

std::span<const Rule> rules_of(WeightLayout layout) {
  switch (layout) {
    case WeightLayout::kDetectron2:
      return kDetectron2;
    case WeightLayout::kCaffe2:
      return kCaffe2;
    case WeightLayout::kMmdet:
    case WeightLayout::kMmdet1:
      return kMmdet;
    case WeightLayout::kTorchvision:
      break;
  }
  return kTorchvision;
}

bool one_of(const std::string& word, std::initializer_list<const char*> words) {
  return std::any_of(words.begin(), words.end(), [&](const char* w) { return word == w; });
}

std::string fill(const char* replacement, const std::vector<int>& numbers, const std::string& word) {
  std::string result;
  for (const char* r = replacement; *r; ++r) {
    if (*r != '{') {
      result += *r;
      continue;
    }
    if (r[1] == '@') {
      result += word;
    } else {
      const int shift = r[2] == '-' ? r[3] - '0' : 0;
      result += std::to_string(numbers[size_t(r[1] - '1')] - shift);
    }
    r = std::strchr(r, '}');
  }
  return result;
}

}  // namespace

std::optional<std::string> match_name(const char* pattern, const char* replacement, const std::string& name) {
  std::vector<int> numbers;
  std::string word;
  size_t at = 0;
  for (const char* p = pattern; *p; ++p) {
    if (*p == '#') {
      const size_t start = at;
      while (at < name.size() && at < start + 6 && std::isdigit(static_cast<unsigned char>(name[at]))) ++at;
      if (at == start) return {};
      numbers.push_back(std::stoi(name.substr(start, at - start)));
    } else if (*p == '@' || *p == '%') {
      word = name.substr(at);
      const bool plain = one_of(word, {"weight", "bias"});
      if (!plain && !(*p == '%' && one_of(word, {"running_mean", "running_var"}))) return {};
      at = name.size();
    } else {
      if (at >= name.size() || name[at] != *p) return {};
      ++at;
    }
  }
  if (at != name.size()) return {};
  return fill(replacement, numbers, word);
}

const char* layout_name(WeightLayout layout) {
  switch (layout) {
    case WeightLayout::kTorchvision:
      return "torchvision";
    case WeightLayout::kDetectron2:
      return "detectron2";
    case WeightLayout::kCaffe2:
      return "Caffe2 (Detectron)";
    case WeightLayout::kMmdet:
      return "mmdetection";
    case WeightLayout::kMmdet1:
      return "mmdetection 1.x";
  }
  return "";
}

WeightLayout detect_layout(const std::vector<std::string>& names, const std::string& file) {
  const auto any = [&](std::initializer_list<const char*> prefixes) {
    return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
      return std::any_of(prefixes.begin(), prefixes.end(),
                         [&](const char* prefix) { return name.starts_with(prefix); });
    });
  };
  if (any({"backbone.bottom_up.", "proposal_generator.", "stem.conv1.", "res2."})) return WeightLayout::kDetectron2;
  if (any({"res2_0_branch", "res_conv1_bn"})) return WeightLayout::kCaffe2;
  if (any({"roi_head.", "rpn_head.", "neck.", "backbone.layer1.", "bbox_head."})) {
    return any({"bbox_head.", "mask_head."}) ? WeightLayout::kMmdet1 : WeightLayout::kMmdet;
  }
  if (any({"backbone.body.", "backbone.fpn.", "rpn.head.", "roi_heads.", "layer1.", "conv1.weight"})) {
    return WeightLayout::kTorchvision;
  }
  std::string some;
  for (size_t i = 0; i < std::min<size_t>(names.size(), 3); ++i) some += (i ? ", " : "") + names[i];
  fail(file, ": the names (", some,
       ", ..) are those of no system known here; expected torchvision, detectron2, Caffe2 or "
       "mmdetection ResNet or Mask R-CNN weights, or give --layout");
}

MappedName map_name(WeightLayout layout, const std::string& name) {
  if (name.ends_with(".num_batches_tracked")) return {"", kCounter};
  if (name.ends_with("_momentum")) return {"", "state of the optimiser"};
  // mmdetection 1.x calls its heads bbox_head and mask_head, without roi_head in front.
  const bool old_head =
      layout == WeightLayout::kMmdet1 && (name.starts_with("bbox_head.") || name.starts_with("mask_head."));
  MappedName mapped;
  const Rule* rule = find_rule(rules_of(layout), old_head ? "roi_head." + name : name, mapped.target);
  // A backbone alone has the classification ResNet's names in every system that speaks PyTorch.
  if (!rule && layout == WeightLayout::kMmdet) rule = find_rule(kTorchvision, name, mapped.target);
  if (!rule) return {"", "no such part in Mask R-CNN with ResNet and FPN"};
  if (!rule->replacement) return {"", rule->why};
  return mapped;
}

std::string wrapper_prefix(const std::vector<std::string>& names) {
  std::string prefix;
  for (bool found = true; found && !names.empty();) {
    found = false;
    for (const char* wrapper : {"module.", "model.", "_orig_mod."}) {
      const std::string longer = prefix + wrapper;
      if (!std::all_of(names.begin(), names.end(), [&](const auto& name) { return name.starts_with(longer); }))
        continue;
      prefix = longer;
      found = true;
    }
  }
  return prefix;
}

}  // namespace tailseg
