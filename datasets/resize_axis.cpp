#include "datasets/resize_axis.h"

#include <algorithm>
#include <cmath>

namespace tailseg {
namespace {

// The source coordinate of output i, split into whole and fraction.
struct Position {
  int64_t whole;
  float fraction;
};
Position opencv_position(int64_t i, double scale) {
  const float at = static_cast<float>((static_cast<double>(i) + 0.5) * scale - 0.5);
  const float whole = std::floor(at);
  return {static_cast<int64_t>(whole), at - whole};
}

int32_t round_even(float value) { return static_cast<int32_t>(std::lrintf(value)); }  // OpenCV's cvRound

template <class Weight>
AxisTaps<Weight> empty_axis(int64_t out, int taps) {
  return {taps, std::vector<int32_t>(static_cast<size_t>(out)),
          std::vector<Weight>(static_cast<size_t>(out) * static_cast<size_t>(taps))};
}

template <class Weight>
AxisTaps<Weight> turned(AxisTaps<Weight> axis, bool mirrored) {
  if (!mirrored) return axis;
  std::reverse(axis.first.begin(), axis.first.end());
  for (size_t i = 0, j = axis.first.size() - 1; i < j; ++i, --j) {
    std::swap_ranges(&axis.weight[i * axis.taps], &axis.weight[i * axis.taps] + axis.taps, &axis.weight[j * axis.taps]);
  }
  return axis;
}

}  // namespace

AxisTaps<int32_t> opencv_axis(int64_t in, int64_t out, bool clamp_fraction, bool mirrored) {
  AxisTaps<int32_t> axis = empty_axis<int32_t>(out, 2);
  const double scale = 1.0 / (static_cast<double>(out) / static_cast<double>(in));
  for (int64_t i = 0; i < out; ++i) {
    Position at = opencv_position(i, scale);
    if (clamp_fraction && at.whole < 0) at = {0, 0.0f};
    if (clamp_fraction && at.whole >= in - 1) at = {in - 1, 0.0f};
    axis.first[i] = static_cast<int32_t>(at.whole);
    axis.weight[i * 2] = round_even((1.0f - at.fraction) * (1 << kOpenCvBits));
    axis.weight[i * 2 + 1] = round_even(at.fraction * (1 << kOpenCvBits));
  }
  return turned(std::move(axis), mirrored);
}

AxisTaps<int32_t> pillow_axis(int64_t in, int64_t out, bool mirrored) {
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  const double support = std::max(scale, 1.0);
  AxisTaps<int32_t> axis = empty_axis<int32_t>(out, static_cast<int>(std::ceil(support)) * 2 + 1);
  std::vector<double> triangle(static_cast<size_t>(axis.taps));
  for (int64_t i = 0; i < out; ++i) {
    const double centre = (static_cast<double>(i) + 0.5) * scale;
    const int64_t begin = std::max<int64_t>(0, static_cast<int64_t>(centre - support + 0.5));
    const int64_t end = std::min<int64_t>(in, static_cast<int64_t>(centre + support + 0.5));
    double sum = 0;
    for (int64_t t = 0; t < end - begin; ++t) {
      const double distance = (static_cast<double>(t + begin) - centre + 0.5) * (1.0 / support);
      triangle[t] = std::max(0.0, 1.0 - std::abs(distance));
      sum += triangle[t];
    }
    axis.first[i] = static_cast<int32_t>(begin);
    for (int64_t t = 0; t < end - begin; ++t) {
      axis.weight[i * axis.taps + t] = static_cast<int32_t>(0.5 + triangle[t] / sum * (1 << kPillowBits));
    }
  }
  return turned(std::move(axis), mirrored);
}

AxisTaps<float> torch_axis(int64_t in, int64_t out, bool mirrored) {
  AxisTaps<float> axis = empty_axis<float>(out, 2);
  const double scale = static_cast<float>(in) / static_cast<float>(out);  // rounded to float32, then used in double
  for (int64_t i = 0; i < out; ++i) {
    const double at = std::max(0.0, scale * (static_cast<double>(i) + 0.5) - 0.5);
    const int64_t whole = std::min<int64_t>(static_cast<int64_t>(at), in - 1);
    const float fraction = whole < in - 1 ? static_cast<float>(at - static_cast<double>(whole)) : 0.0f;
    axis.first[i] = static_cast<int32_t>(whole);
    axis.weight[i * 2] = 1.0f - fraction;
    axis.weight[i * 2 + 1] = fraction;
  }
  return turned(std::move(axis), mirrored);
}

}  // namespace tailseg
