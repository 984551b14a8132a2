// The three resamplers of image_resize.h along one axis, as tables: output i is the sum over t of
// weight[i * taps + t] * source[first[i] + t]. Both executors read them: the CPU's rows (image_resize.cpp) and the
// device's pixels (device_photos_body.h).
#pragma once

#include <cstdint>
#include <vector>

namespace tailseg {

template <class Weight>
struct AxisTaps {
  int taps = 0;
  std::vector<int32_t> first;  // [out]
  std::vector<Weight> weight;  // [out, taps]; 0 for taps that lie outside the source
};

inline constexpr int kOpenCvBits = 11;
inline constexpr int kPillowBits = 22;

// From `in` to `out` pixels; `mirrored`: the outputs in reverse order.
// OpenCV clamps the fraction at the left and right borders (`clamp_fraction`), but at the top and bottom only the rows:
// there first may be -1 and first + 1 may be `in`, and the outer row is blended with itself, each half rounded down by
// itself. Weights in 2^-11.
AxisTaps<int32_t> opencv_axis(int64_t in, int64_t out, bool clamp_fraction, bool mirrored = false);
// Pillow's triangle is as wide as the scale when shrinking. Weights in 2^-22.
AxisTaps<int32_t> pillow_axis(int64_t in, int64_t out, bool mirrored = false);
AxisTaps<float> torch_axis(int64_t in, int64_t out, bool mirrored = false);

}  // namespace tailseg
