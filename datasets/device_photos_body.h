#pragma once

#include <type_traits>

#include "datasets/image_resize.h"
#include "tensor/body.h"

namespace tailseg {

// Where one photo of the batch lies and how its axes are read: offsets into the batch's bytes and tables.
struct PhotoPlan {
  int64_t pixels;                                      // of the first byte
  int64_t x_first, y_first, x_weight, y_weight;        // of the first table entry
  int32_t source_width, source_height, width, height;  // before and after scaling
  int32_t x_taps, y_taps;
};

// One item = one pixel of the padded batch (thread): neighbouring threads write neighbouring pixels and read
// neighbouring or equal ones. All three channels at once, for the tables are the same. The arithmetic is
// image_resize's, operation by operation, so that a photo has the same bits on every device; products that float32
// would fuse with the sum behind them are spelled mul_rounded.
template <Resampler kResampler>
struct PlacePhotos {
  static constexpr const char* name = "place_photos";
  static constexpr Lanes lanes = Lanes::one;
  static constexpr bool kTorch = kResampler == Resampler::kTorchLinear;
  using Weight = std::conditional_t<kTorch, float, int32_t>;

  const uint8_t* bytes;    // the photos, [source_height, source_width, 3] each
  const PhotoPlan* plans;  // [N]
  const int32_t* first;    // the axes' tables
  const Weight* weight;
  float* out;  // [N, height, width, 3]
  int64_t height, width;
  float mean[3], factor[3];  // (value - mean) * factor, in the network's order of channels
  bool bgr;
  double source_bytes;  // of all photos, for the cost

  template <class Group>
  TS_HD void operator()(Group, int64_t item) const {
    const int64_t x = item % width, y = item / width % height;
    const PhotoPlan& plan = plans[item / (width * height)];
    float* to = out + item * 3;
    const bool inside = x < plan.width && y < plan.height;
    for (int c = 0; c < 3; ++c) {
      to[c] = inside ? (value(plan, x, y, bgr ? 2 - c : c) - mean[c]) * factor[c] : 0.0f;
    }
  }
  Cost cost(int64_t n) const { return {12.0 * double(n) + source_bytes, (kTorch ? 30.0 : 60.0) * double(n)}; }

 private:
  TS_HD static int64_t clamped(int64_t at, int64_t size) { return at < 0 ? 0 : at < size ? at : size - 1; }

  // Column x of the source's row, stretched to the output's width: value * 128, a byte, or a float.
  TS_HD auto stretched(const PhotoPlan& plan, const uint8_t* photo, int64_t x, int64_t row) const {
    const uint8_t* line = photo + clamped(row, plan.source_height) * plan.source_width * 3;
    const int64_t begin = first[plan.x_first + x];
    const Weight* weights = weight + plan.x_weight + x * plan.x_taps;
    const auto source = [&](int64_t t) { return line[clamped(begin + t, plan.source_width) * 3]; };
    if constexpr (kResampler == Resampler::kPillowTriangle) {
      int32_t sum = 1 << (kPillowBits - 1);
      for (int t = 0; t < plan.x_taps; ++t) sum += source(t) * weights[t];
      return int32_t{static_cast<uint8_t>(sum >> kPillowBits)};
    } else if constexpr (kTorch) {
      return math::mul_rounded(float(source(0)), weights[0]) + math::mul_rounded(float(source(1)), weights[1]);
    } else {
      return (source(0) * weights[0] + source(1) * weights[1]) >> 4;
    }
  }

  TS_HD float value(const PhotoPlan& plan, int64_t x, int64_t y, int channel) const {
    const uint8_t* photo = bytes + plan.pixels + channel;
    const int64_t row = first[plan.y_first + y];
    const Weight* weights = weight + plan.y_weight + y * plan.y_taps;
    if constexpr (kResampler == Resampler::kPillowTriangle) {
      int32_t sum = 1 << (kPillowBits - 1);
      for (int t = 0; t < plan.y_taps; ++t) {
        if (weights[t] != 0) sum += stretched(plan, photo, x, row + t) * weights[t];
      }
      return static_cast<float>(static_cast<uint8_t>(sum >> kPillowBits));
    } else {
      const auto upper = stretched(plan, photo, x, row), lower = stretched(plan, photo, x, row + 1);
      if constexpr (kTorch) return math::mul_rounded(upper, weights[0]) + math::mul_rounded(lower, weights[1]);
      const auto a = static_cast<int16_t>((int32_t{static_cast<int16_t>(upper)} * int32_t(weights[0])) >> 16);
      const auto b = static_cast<int16_t>((int32_t{static_cast<int16_t>(lower)} * int32_t(weights[1])) >> 16);
      return static_cast<float>(static_cast<uint8_t>(static_cast<int16_t>(a + b + 2) >> 2));
    }
  }
};

}  // namespace tailseg
