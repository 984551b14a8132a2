// The region proposal network's head: a 3x3 convolution with relu, then objectness logits and box deltas for the A base
// anchors of every cell. Both 1x1 predictors run as one convolution into a packed tensor:
//   channels [0, A): objectness logits; [A, 5A): deltas (dx, dy, dw, dh) anchor by anchor; the rest: padding
// so that the finest level, most of the network's pixels, is read once.
#pragma once

#include <vector>

#include "nn/layers.h"

namespace tailseg {

class RpnHead {
 public:
  RpnHead(const Scope& scope, int64_t channels, int64_t anchors_per_cell);

  // One packed tensor a level: [N, H, W, packed_channels()].
  std::vector<Variable> operator()(Context& ctx, const std::vector<Variable>& pyramid) const;
  int64_t anchors_per_cell() const { return anchors_; }
  int64_t packed_channels() const { return (5 * anchors_ + 15) / 16 * 16; }

 private:
  int64_t anchors_;
  Conv conv_, objectness_, deltas_;
  Variable padding_weight_, padding_bias_;  // zeros, not trained; undefined when nothing is padded
};

}  // namespace tailseg
