// The mask head: four 3x3 convolutions, a 2x2 transposed convolution that doubles the size, and a 1x1 predictor.
// Names: mask_head.{i}.0, mask_predictor.conv5_mask, mask_predictor.mask_fcn_logits. The predictor has one channel a
// class (or one in all); only the channel of a RoI's class is ever computed (selective_predictor.h).
#pragma once

#include <vector>

#include "nn/layers.h"

namespace tailseg {

struct MaskHeadOptions {
  int64_t classes = 80;
  int64_t convolutions = 4;
  int64_t width = 256;
  bool class_agnostic = false;
};

class MaskHead {
 public:
  MaskHead(const Scope& scope, int64_t channels, const MaskHeadOptions& options);

  // pooled [R, 14, 14, C] -> [R, 28, 28, width], ready for the predictor.
  Variable features(Context& ctx, const Variable& pooled) const;
  const Variable& predictor_weight() const { return weight_; }  // [classes or 1, 1, 1, width]
  const Variable& predictor_bias() const { return bias_; }
  const MaskHeadOptions& options() const { return options_; }

 private:
  MaskHeadOptions options_;
  std::vector<Conv> convs_;
  Variable deconv_weight_, deconv_bias_;  // [width in, 2, 2, width out]
  Variable weight_, bias_;
};

}  // namespace tailseg
