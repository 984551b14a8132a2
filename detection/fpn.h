// Feature pyramid network (Lin et al. 2017): C2..C5 -> P2..P6, all with the same number of channels.
//   M5 = lateral(C5),  Mi = lateral(Ci) + nearest(M(i+1)),  Pi = output(Mi),  P6 = P5 subsampled by 2.
// No norm, no activation; upsampling to the exact size of the finer map (METHODS 5.1). torchvision's names.
#pragma once

#include <array>
#include <vector>

#include "nn/layers.h"

namespace tailseg {

struct FpnOptions {
  int64_t channels = 256;
  bool kaiming_init =
      false;  // METHODS 5.1 "FPN init": xavier uniform (mmdet), or kaiming uniform (torchvision, detectron2)
};

class Fpn {
 public:
  Fpn(const Scope& scope, const std::array<int64_t, 4>& in_channels, const FpnOptions& options);

  // C2..C5 -> {P2, P3, P4, P5, P6}, [N, H / stride, W / stride, channels] at strides 4, 8, 16, 32, 64.
  std::vector<Variable> operator()(Context& ctx, const std::array<Variable, 4>& features) const;

 private:
  std::array<Conv, 4> inner_, layer_;
};

}  // namespace tailseg
