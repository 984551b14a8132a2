// ResNet-18/34/50/101 (He et al. 2016) as torchvision lays it out: the stride of a bottleneck in its 3x3 convolution
// (or, for Caffe-trained weights, in the first 1x1). ResNeXt (Xie et al. 2017) is the same with a wider bottleneck
// whose 3x3 convolution is cut into groups: 32 groups, width_per_group 4 is ResNeXt-50 32x4d. Parameters carry
// torchvision's names: conv1, bn1, layer1.0.conv1, layer1.0.bn1, ..., layer1.0.downsample.0 / .1.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "nn/layers.h"

namespace tailseg {

struct ResNetOptions {
  int depth = 50;  // 18, 34, 50 or 101
  NormOptions norm;
  int frozen_stages = 1;         // -1: nothing; 0: the stem; 1: also layer1; ... 4: everything (METHODS 5.1)
  int64_t groups = 1;            // of a bottleneck's 3x3 convolution; above 1: ResNeXt, depth 50 or 101
  int64_t width_per_group = 64;  // channels of a group in layer1, at a stem of 64 channels
  bool stride_in_1x1 = false;    // detectron2's MSRA weights
  int64_t width = 64;            // channels of the stem; smaller networks for tests and demonstrations
};

class ResNet {
 public:
  ResNet(const Scope& scope, const ResNetOptions& options);

  // images [N, H, W, 3] -> C2..C5 at strides 4, 8, 16, 32.
  std::array<Variable, 4> operator()(Context& ctx, const Variable& images, bool training) const;
  std::array<int64_t, 4> channels() const { return channels_; }

 private:
  struct Block {
    std::vector<ConvNorm> convs;  // two 3x3, or 1x1 3x3 1x1
    std::optional<ConvNorm> downsample;
  };
  Variable run_block(Context& ctx, const Block& block, const Variable& x, bool training) const;
  void freeze(const Scope& scope) const;

  ResNetOptions options_;
  ConvNorm stem_;
  std::array<std::vector<Block>, 4> stages_;
  std::array<int64_t, 4> channels_{};
};

}  // namespace tailseg
