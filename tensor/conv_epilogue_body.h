#pragma once

#include "tensor/body.h"

namespace tailseg {

// One item = one pixel; lanes walk its channels (contiguous).
template <class Scalar>
struct ConvEpilogueBody {
  static constexpr const char* name = "conv_epilogue";
  static constexpr Lanes lanes = Lanes::warp;
  Scalar* y;                        // [pixels, channels]
  const ComputeType<Scalar>* bias;  // [channels] or null
  const Scalar* residual;           // as y or null
  int64_t channels;
  bool relu;

  template <class Group>
  TS_HD void operator()(Group group, int64_t pixel) const {
    using Real = ComputeType<Scalar>;
    for (int64_t c = group.rank(); c < channels; c += group.size()) {
      const int64_t at = pixel * channels + c;
      Real value = Real(y[at]);
      if (bias) value += bias[c];
      if (residual) value += Real(residual[at]);
      y[at] = Scalar(relu ? math::max(value, Real(0)) : value);
    }
  }
  Cost cost(int64_t pixels) const {
    const double elements = double(pixels) * double(channels);
    return {sizeof(Scalar) * elements * (residual ? 3 : 2), 3 * elements};
  }
};

}  // namespace tailseg
