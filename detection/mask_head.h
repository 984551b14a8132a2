// The mask head: four 3x3 convolutions, a 2x2 transposed convolution that doubles the size, and a 1x1 predictor.
// Names: mask_head.{i}.0, mask_predictor.conv5_mask, mask_predictor.mask_fcn_logits; of a cascade's stage s
// mask_head.s.{i}.0 and so on. The predictor has one channel a class, one in all, or one for each set of filters
// (filter_map.h); only the channel of a RoI's class is ever computed (selective_predictor.h). It is plain, or
// normalised (METHODS 2.2); both have the same parameters.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "autograd/normalized_linear.h"
#include "detection/filter_map.h"
#include "nn/layers.h"

namespace tailseg {

struct MaskHeadOptions {
  int64_t classes = 80;
  int64_t convolutions = 4;
  int64_t width = 256;
  bool class_agnostic = false;
  int64_t agnostic_below = 0;  // FilterSharing: the classes of the tail share their mask channel
  bool agnostic_by_instances = false;
  std::optional<NormalizedOptions> normalized{};  // the predictor
  std::string stage{};                            // ".s" in a cascade: see the names above
  ClassStatistics statistics{};                   // of the training set, for agnostic_below
};

class MaskHead {
 public:
  MaskHead(const Scope& scope, int64_t channels, const MaskHeadOptions& options);

  // pooled [R, 14, 14, C] -> [R, 28, 28, width], ready for the predictor.
  Variable features(Context& ctx, const Variable& pooled) const;
  // label [R] int32 -> logits [R, 28, 28] of each RoI's class; zeros where the label is negative.
  Variable logits(Context& ctx, const Variable& features, const Tensor& label) const;
  const MaskHeadOptions& options() const { return options_; }

 private:
  MaskHeadOptions options_;
  std::vector<Conv> convs_;
  Variable deconv_weight_, deconv_bias_;  // [width in, 2, 2, width out]
  Variable weight_, bias_;                // [sets of filters, 1, 1, width]
  Tensor filter_of_;
};

}  // namespace tailseg
