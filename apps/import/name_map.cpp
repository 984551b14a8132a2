#include "apps/import/name_map.h"

#include <algorithm>
#include <cctype>
#include <cstring>
#include <span>
#include <string_view>

#include "apps/import/name_rules.h"
#include "tensor/error.h"

namespace tailseg {
namespace {

using namespace name_rules;

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
