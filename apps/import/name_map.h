// Parameter names of other systems, mapped to ours, which are torchvision's (0.13 and newer):
// backbone.body.layer1.0.conv1.weight, backbone.fpn.inner_blocks.0.0.weight, rpn.head.conv.0.0.weight,
// roi_heads.box_head.fc6.weight, roi_heads.mask_head.0.0.weight. Each layout is one table of patterns (name_map.cpp).
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace tailseg {

enum class WeightLayout { kTorchvision, kDetectron2, kCaffe2, kMmdet, kMmdet1 };

const char* layout_name(WeightLayout layout);

// Recognises the layout by names that only it uses. Throws Error, naming a few of the names, when none fits.
WeightLayout detect_layout(const std::vector<std::string>& names, const std::string& file);

struct MappedName {
  std::string target;  // empty: dropped
  std::string reason;  // why it was dropped
};

// The file's name for our name, or why there is none. Prefixes that wrappers add ("module.", "model.") are gone
// already.
MappedName map_name(WeightLayout layout, const std::string& name);

// `name` without the prefix that every one of `names` shares, when it is one that wrappers add; else unchanged.
std::string wrapper_prefix(const std::vector<std::string>& names);

// Matches `pattern` against `name`: '#' stands for digits, '@' for "weight" or "bias", '%' for a batch norm's
// weight, bias, running_mean or running_var. On a match fills `replacement`, where {1}, {2} .. are what the digits
// were, {1-2} the number minus 2, and {@} the word. Exposed for its test.
std::optional<std::string> match_name(const char* pattern, const char* replacement, const std::string& name);

}  // namespace tailseg
