// The parameter and buffer names of a ResNet and of a Mask R-CNN with ResNet and FPN, as torchvision 0.14 saves them
// (batch counters left out). METHODS 5.7; the import checks what it matched against them.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace tailseg {

struct ResnetKind {
  int depth = 0;  // 18, 34, 50, 101 or 152; 0: not a ResNet that is known here
  bool bottleneck = false;
  int blocks[4] = {};
};

// Reads the depth off the names that are present (our names, "backbone.body." in front).
ResnetKind resnet_kind(const std::function<bool(const std::string&)>& has);

std::vector<std::string> resnet_names(const ResnetKind& kind);

// FPN, RPN, box and mask head. In a cascade of `stages` (0: none) each has its box head, and each or the first its mask
// head (detection/cascade.h).
std::vector<std::string> mask_rcnn_head_names(int stages = 0, bool mask_head_each_stage = false);

}  // namespace tailseg
