#include "datasets/image_resize.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "tensor/error.h"

namespace tailseg {
namespace {

constexpr int kOpenCvBits = 11;
constexpr int kPillowBits = 22;

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

}  // namespace

void RowResizer::start(const Image& source, int64_t width, int64_t height, Resampler resampler, bool mirrored,
                       bool bgr) {
  TS_CHECK(source.width > 0 && source.height > 0 && width > 0 && height > 0, "resizing an image of ", source.width,
           " x ", source.height, " to ", width, " x ", height, ": every side must be at least 1");
  source_ = &source;
  width_ = width;
  height_ = height;
  resampler_ = resampler;
  mirrored_ = mirrored;
  bgr_ = bgr;
  padded_.assign(static_cast<size_t>(source.width * 3 + 32), 0);
  if (resampler == Resampler::kOpenCvLinear) start_opencv();
  if (resampler == Resampler::kPillowTriangle) start_pillow();
  if (resampler == Resampler::kTorchLinear) start_torch();
}

template <class Weight>
void RowResizer::mirror(Axis<Weight>& axis) const {
  if (!mirrored_) return;
  std::reverse(axis.first.begin(), axis.first.end());
  for (size_t i = 0, j = axis.first.size() - 1; i < j; ++i, --j) {
    std::swap_ranges(&axis.weight[i * axis.taps], &axis.weight[i * axis.taps] + axis.taps, &axis.weight[j * axis.taps]);
  }
}

// OpenCV clamps the fraction at the left and right borders, but at the top and bottom only the rows: there the outer
// row is blended with itself, and each half is rounded down by itself.
void RowResizer::start_opencv() {
  const auto fill = [](Axis<int32_t>& axis, int64_t in, int64_t out, bool clamp_fraction) {
    axis.taps = 2;
    axis.first.resize(static_cast<size_t>(out));
    axis.weight.resize(static_cast<size_t>(out) * 2);
    const double scale = 1.0 / (static_cast<double>(out) / static_cast<double>(in));
    for (int64_t i = 0; i < out; ++i) {
      Position at = opencv_position(i, scale);
      if (clamp_fraction && at.whole < 0) at = {0, 0.0f};
      if (clamp_fraction && at.whole >= in - 1) at = {in - 1, 0.0f};
      axis.first[i] = static_cast<int32_t>(at.whole);
      axis.weight[i * 2] = round_even((1.0f - at.fraction) * (1 << kOpenCvBits));
      axis.weight[i * 2 + 1] = round_even(at.fraction * (1 << kOpenCvBits));
    }
  };
  fill(x_, source_->width, width_, true);
  fill(y_, source_->height, height_, false);
  mirror(x_);
  shorts_.kept = 2;
  shorts_.holds.assign(2, -1);
  shorts_.values.resize(static_cast<size_t>(2 * width_ * 3));
}

void RowResizer::start_pillow() {
  const auto fill = [](Axis<int32_t>& axis, int64_t in, int64_t out) {
    const double scale = static_cast<double>(in) / static_cast<double>(out);
    const double support = std::max(scale, 1.0);
    axis.taps = static_cast<int>(std::ceil(support)) * 2 + 1;
    axis.first.resize(static_cast<size_t>(out));
    axis.weight.assign(static_cast<size_t>(out * axis.taps), 0);
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
  };
  fill(x_, source_->width, width_);
  fill(y_, source_->height, height_);
  mirror(x_);
  padded_.resize(static_cast<size_t>((source_->width + x_.taps) * 3), 0);
  bytes_.kept = y_.taps;
  bytes_.holds.assign(static_cast<size_t>(y_.taps), -1);
  bytes_.values.resize(static_cast<size_t>(y_.taps * width_ * 3));
  sums_.resize(static_cast<size_t>(width_ * 3));
}

void RowResizer::start_torch() {
  const auto fill = [](Axis<float>& axis, int64_t in, int64_t out) {
    axis.taps = 2;
    axis.first.resize(static_cast<size_t>(out));
    axis.weight.resize(static_cast<size_t>(out) * 2);
    const double scale = static_cast<float>(in) / static_cast<float>(out);  // rounded to float32, then used in double
    for (int64_t i = 0; i < out; ++i) {
      const double at = std::max(0.0, scale * (static_cast<double>(i) + 0.5) - 0.5);
      const int64_t whole = std::min<int64_t>(static_cast<int64_t>(at), in - 1);
      const float fraction = whole < in - 1 ? static_cast<float>(at - static_cast<double>(whole)) : 0.0f;
      axis.first[i] = static_cast<int32_t>(whole);
      axis.weight[i * 2] = 1.0f - fraction;
      axis.weight[i * 2 + 1] = fraction;
    }
  };
  fill(float_x_, source_->width, width_);
  fill(float_y_, source_->height, height_);
  mirror(float_x_);
  floats_.kept = 2;
  floats_.holds.assign(2, -1);
  floats_.values.resize(static_cast<size_t>(2 * width_ * 3));
  byte_row_.resize(static_cast<size_t>(width_ * 3));
}

// A copy with room behind it, so that every tap of every output may be read; channels in the asked order.
const uint8_t* RowResizer::padded_source_row(int64_t y) {
  const uint8_t* from = source_->row(y);
  std::memcpy(padded_.data(), from, static_cast<size_t>(source_->width * 3));
  if (bgr_) {
    for (int64_t x = 0; x < source_->width; ++x) std::swap(padded_[x * 3], padded_[x * 3 + 2]);
  }
  return padded_.data();
}

template <class Value>
const Value* RowResizer::stretched(int64_t source_row, StretchedRows<Value>& rows) {
  source_row = std::clamp<int64_t>(source_row, 0, source_->height - 1);
  const int64_t slot = source_row % rows.kept;
  Value* values = rows.values.data() + slot * width_ * 3;
  if (rows.holds[slot] != source_row) {
    stretch(padded_source_row(source_row), values);
    rows.holds[slot] = source_row;
  }
  return values;
}

void RowResizer::stretch(const uint8_t* source, int16_t* out) const {
  for (int64_t x = 0; x < width_; ++x) {
    const uint8_t* from = source + int64_t{x_.first[x]} * 3;
    const int32_t near = x_.weight[x * 2], far = x_.weight[x * 2 + 1];
    for (int c = 0; c < 3; ++c) out[x * 3 + c] = static_cast<int16_t>((from[c] * near + from[c + 3] * far) >> 4);
  }
}

void RowResizer::stretch(const uint8_t* source, uint8_t* out) const {
  for (int64_t x = 0; x < width_; ++x) {
    const uint8_t* from = source + int64_t{x_.first[x]} * 3;
    const int32_t* weight = x_.weight.data() + x * x_.taps;
    int32_t sum[3] = {1 << (kPillowBits - 1), 1 << (kPillowBits - 1), 1 << (kPillowBits - 1)};
    for (int t = 0; t < x_.taps; ++t) {
      for (int c = 0; c < 3; ++c) sum[c] += from[t * 3 + c] * weight[t];
    }
    for (int c = 0; c < 3; ++c) out[x * 3 + c] = static_cast<uint8_t>(std::clamp(sum[c] >> kPillowBits, 0, 255));
  }
}

void RowResizer::stretch(const uint8_t* source, float* out) const {
  for (int64_t x = 0; x < width_; ++x) {
    const uint8_t* from = source + int64_t{float_x_.first[x]} * 3;
    const float near = float_x_.weight[x * 2], far = float_x_.weight[x * 2 + 1];
    for (int c = 0; c < 3; ++c) out[x * 3 + c] = from[c] * near + from[c + 3] * far;
  }
}

void RowResizer::opencv_row(int64_t y, uint8_t* out) {
  const int16_t* upper = stretched(y_.first[y], shorts_);
  const int16_t* lower = stretched(int64_t{y_.first[y]} + 1, shorts_);
  const int16_t near = static_cast<int16_t>(y_.weight[y * 2]), far = static_cast<int16_t>(y_.weight[y * 2 + 1]);
  for (int64_t i = 0; i < width_ * 3; ++i) {
    const int16_t a = static_cast<int16_t>((int32_t{upper[i]} * near) >> 16);
    const int16_t b = static_cast<int16_t>((int32_t{lower[i]} * far) >> 16);
    out[i] = static_cast<uint8_t>(static_cast<int16_t>(a + b + 2) >> 2);
  }
}

void RowResizer::pillow_row(int64_t y, uint8_t* out) {
  std::fill(sums_.begin(), sums_.end(), 1 << (kPillowBits - 1));
  for (int t = 0; t < y_.taps; ++t) {
    const int32_t weight = y_.weight[y * y_.taps + t];
    if (weight == 0) continue;
    const uint8_t* from = stretched(int64_t{y_.first[y]} + t, bytes_);
    int32_t* sums = sums_.data();
    for (int64_t i = 0; i < width_ * 3; ++i) sums[i] += from[i] * weight;
  }
  for (int64_t i = 0; i < width_ * 3; ++i) {
    out[i] = static_cast<uint8_t>(std::clamp(sums_[i] >> kPillowBits, 0, 255));
  }
}

void RowResizer::torch_row(int64_t y, float* out) {
  const float* upper = stretched(float_y_.first[y], floats_);
  const float* lower = stretched(int64_t{float_y_.first[y]} + 1, floats_);
  const float near = float_y_.weight[y * 2], far = float_y_.weight[y * 2 + 1];
  for (int64_t i = 0; i < width_ * 3; ++i) out[i] = upper[i] * near + lower[i] * far;
}

void RowResizer::row(int64_t y, uint8_t* out) {
  if (resampler_ == Resampler::kOpenCvLinear) return opencv_row(y, out);
  if (resampler_ == Resampler::kPillowTriangle) return pillow_row(y, out);
  float_row_.resize(static_cast<size_t>(width_ * 3));
  torch_row(y, float_row_.data());
  for (int64_t i = 0; i < width_ * 3; ++i) out[i] = static_cast<uint8_t>(float_row_[i] + 0.5f);
}

void RowResizer::row(int64_t y, float* out) {
  if (resampler_ == Resampler::kTorchLinear) return torch_row(y, out);
  byte_row_.resize(static_cast<size_t>(width_ * 3));
  row(y, byte_row_.data());
  for (int64_t i = 0; i < width_ * 3; ++i) out[i] = byte_row_[i];
}

Image resize_image(const Image& source, int64_t width, int64_t height, Resampler resampler) {
  RowResizer resizer;
  resizer.start(source, width, height, resampler);
  Image out(width, height);
  for (int64_t y = 0; y < height; ++y) resizer.row(y, out.row(y));
  return out;
}

std::vector<uint8_t> resize_mask(const std::vector<uint8_t>& mask, int64_t width, int64_t height, int64_t new_width,
                                 int64_t new_height, NearestRule rule) {
  TS_CHECK(
      width > 0 && height > 0 && new_width > 0 && new_height > 0 && mask.size() == static_cast<size_t>(width * height),
      "resizing a mask of ", mask.size(), " bytes, ", width, " x ", height, ", to ", new_width, " x ", new_height);
  const double offset = rule == NearestRule::kCentre ? 0.5 : 0.0;
  const auto nearest = [offset](int64_t i, int64_t in, int64_t out) {
    const double at = (static_cast<double>(i) + offset) * (static_cast<double>(in) / static_cast<double>(out));
    return std::min(static_cast<int64_t>(at), in - 1);
  };
  std::vector<int64_t> column(static_cast<size_t>(new_width));
  for (int64_t x = 0; x < new_width; ++x) column[x] = nearest(x, width, new_width);
  std::vector<uint8_t> out(static_cast<size_t>(new_width * new_height));
  for (int64_t y = 0; y < new_height; ++y) {
    const uint8_t* from = mask.data() + nearest(y, height, new_height) * width;
    for (int64_t x = 0; x < new_width; ++x) out[y * new_width + x] = from[column[x]];
  }
  return out;
}

}  // namespace tailseg
