#include "apps/import/resnet_fpn_names.h"

#include <algorithm>

namespace tailseg {
namespace {

constexpr ResnetKind kKinds[] = {{18, false, {2, 2, 2, 2}},
                                 {34, false, {3, 4, 6, 3}},
                                 {50, true, {3, 4, 6, 3}},
                                 {101, true, {3, 4, 23, 3}},
                                 {152, true, {3, 8, 36, 3}}};

const std::string kBody = "backbone.body.";

void add_norm(std::vector<std::string>& names, const std::string& norm) {
  for (const char* part : {"weight", "bias", "running_mean", "running_var"}) names.push_back(norm + "." + part);
}

std::string block_name(int stage, int block) {
  return kBody + "layer" + std::to_string(stage + 1) + "." + std::to_string(block) + ".";
}

}  // namespace

ResnetKind resnet_kind(const std::function<bool(const std::string&)>& has) {
  ResnetKind found;
  for (int stage = 0; stage < 4; ++stage) {
    while (found.blocks[stage] < 100 && has(block_name(stage, found.blocks[stage]) + "conv1.weight")) {
      ++found.blocks[stage];
    }
  }
  found.bottleneck = has(block_name(0, 0) + "conv3.weight");
  for (const ResnetKind& kind : kKinds) {
    if (kind.bottleneck == found.bottleneck && std::equal(kind.blocks, kind.blocks + 4, found.blocks)) return kind;
  }
  return found;
}

std::vector<std::string> resnet_names(const ResnetKind& kind) {
  std::vector<std::string> names = {kBody + "conv1.weight"};
  add_norm(names, kBody + "bn1");
  for (int stage = 0; stage < 4; ++stage) {
    for (int block = 0; block < kind.blocks[stage]; ++block) {
      const std::string prefix = block_name(stage, block);
      for (int conv = 1; conv <= (kind.bottleneck ? 3 : 2); ++conv) {
        names.push_back(prefix + "conv" + std::to_string(conv) + ".weight");
        add_norm(names, prefix + "bn" + std::to_string(conv));
      }
      if (block == 0 && (stage > 0 || kind.bottleneck)) {  // the first stage of a basic ResNet keeps its width
        names.push_back(prefix + "downsample.0.weight");
        add_norm(names, prefix + "downsample.1");
      }
    }
  }
  return names;
}

std::vector<std::string> mask_rcnn_head_names(int stages, bool mask_head_each_stage) {
  std::vector<std::string> layers;
  for (const char* part : {"inner", "layer"}) {
    for (int level = 0; level < 4; ++level) {
      layers.push_back(std::string("backbone.fpn.") + part + "_blocks." + std::to_string(level) + ".0");
    }
  }
  for (const char* layer : {"rpn.head.conv.0.0", "rpn.head.cls_logits", "rpn.head.bbox_pred"})
    layers.emplace_back(layer);
  const std::string heads = "roi_heads.";
  for (int stage = 0; stage < std::max(stages, 1); ++stage) {
    const std::string own = stages > 0 ? "." + std::to_string(stage) : "";
    for (const char* layer : {".fc6", ".fc7"}) layers.push_back(heads + "box_head" + own + layer);
    for (const char* layer : {".cls_score", ".bbox_pred"}) layers.push_back(heads + "box_predictor" + own + layer);
    if (stage > 0 && !mask_head_each_stage) continue;
    const std::string mask = mask_head_each_stage ? own : "";
    for (const char* layer : {".0.0", ".1.0", ".2.0", ".3.0"}) layers.push_back(heads + "mask_head" + mask + layer);
    for (const char* layer : {".conv5_mask", ".mask_fcn_logits"}) {
      layers.push_back(heads + "mask_predictor" + mask + layer);
    }
  }
  std::vector<std::string> names;
  for (const std::string& layer : layers) {
    names.push_back(layer + ".weight");
    names.push_back(layer + ".bias");
  }
  return names;
}

}  // namespace tailseg
