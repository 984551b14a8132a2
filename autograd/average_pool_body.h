#pragma once

#include "tensor/body.h"

namespace tailseg {

// One item = one image; lanes walk the channels. y = mean over the pixels.
template <class Scalar>
struct GlobalAverageForward {
  static constexpr const char* name = "global_average_forward";
  static constexpr Lanes lanes = Lanes::block;
  const Scalar* x;  // [N, pixels, C]
  Scalar* y;        // [N, C]
  int64_t pixels, channels;

  template <class Group>
  TS_HD void operator()(Group group, int64_t n) const {
    using Real = ComputeType<Scalar>;
    for (int64_t c = group.rank(); c < channels; c += group.size()) {
      Real total = 0;
      for (int64_t i = 0; i < pixels; ++i) total += Real(x[(n * pixels + i) * channels + c]);
      y[n * channels + c] = Scalar(total / Real(pixels));
    }
  }
  Cost cost(int64_t n) const { return {sizeof(Scalar) * double(n * pixels * channels), double(n * pixels * channels)}; }
};

// One item = one pixel of one image; lanes walk the channels.
template <class Scalar>
struct GlobalAverageBackward {
  static constexpr const char* name = "global_average_backward";
  static constexpr Lanes lanes = Lanes::warp;
  const Scalar* dy;  // [N, C]
  Scalar* dx;        // [N, pixels, C]
  int64_t pixels, channels;

  template <class Group>
  TS_HD void operator()(Group group, int64_t item) const {
    using Real = ComputeType<Scalar>;
    const int64_t n = item / pixels;
    for (int64_t c = group.rank(); c < channels; c += group.size()) {
      dx[item * channels + c] = Scalar(Real(dy[n * channels + c]) / Real(pixels));
    }
  }
  Cost cost(int64_t items) const { return {sizeof(Scalar) * double(items * channels), double(items * channels)}; }
};

}  // namespace tailseg
