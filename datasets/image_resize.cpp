#include "datasets/image_resize.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "tensor/error.h"

namespace tailseg {
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

void RowResizer::start_opencv() {
  x_ = opencv_axis(source_->width, width_, true, mirrored_);
  y_ = opencv_axis(source_->height, height_, false);
  shorts_.kept = 2;
  shorts_.holds.assign(2, -1);
  shorts_.values.resize(static_cast<size_t>(2 * (width_ * 3 + 1)));
}

void RowResizer::start_pillow() {
  x_ = pillow_axis(source_->width, width_, mirrored_);
  y_ = pillow_axis(source_->height, height_);
  padded_.resize(static_cast<size_t>((source_->width + x_.taps) * 3), 0);
  bytes_.kept = y_.taps;
  bytes_.holds.assign(static_cast<size_t>(y_.taps), -1);
  bytes_.values.resize(static_cast<size_t>(y_.taps * (width_ * 3 + 1)));
  sums_.resize(static_cast<size_t>(width_ * 3));
}

void RowResizer::start_torch() {
  float_x_ = torch_axis(source_->width, width_, mirrored_);
  float_y_ = torch_axis(source_->height, height_);
  floats_.kept = 2;
  floats_.holds.assign(2, -1);
  floats_.values.resize(static_cast<size_t>(2 * (width_ * 3 + 1)));
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
  Value* values = rows.values.data() + slot * (width_ * 3 + 1);
  if (rows.holds[slot] != source_row) {
    stretch(padded_source_row(source_row), values);
    rows.holds[slot] = source_row;
  }
  return values;
}

// The three stretches compute four channels a pixel, the fourth being the next pixel's first: four lanes vectorise,
// three do not (2.7 times faster). The rows have room for it, and the next pixel overwrites it. Counts and pointers are
// copied to locals because a byte that is written might alias any member.
void RowResizer::stretch(const uint8_t* source, int16_t* __restrict out) const {
  const int32_t* first = x_.first.data();
  const int32_t* weight = x_.weight.data();
  for (int64_t x = 0, width = width_; x < width; ++x) {
    const uint8_t* from = source + int64_t{first[x]} * 3;
    const int32_t near = weight[x * 2], far = weight[x * 2 + 1];
    int16_t pixel[4];
    for (int c = 0; c < 4; ++c) pixel[c] = static_cast<int16_t>((from[c] * near + from[c + 3] * far) >> 4);
    std::memcpy(out + x * 3, pixel, sizeof(pixel));
  }
}

void RowResizer::stretch(const uint8_t* source, uint8_t* __restrict out) const {
  const int taps = x_.taps;
  const int32_t* first = x_.first.data();
  const int32_t* weight = x_.weight.data();
  for (int64_t x = 0, width = width_; x < width; ++x, weight += taps) {
    const uint8_t* from = source + int64_t{first[x]} * 3;
    int32_t sum[4];
    for (int c = 0; c < 4; ++c) sum[c] = (1 << (kPillowBits - 1)) + from[c] * weight[0];
    for (int t = 1; t < taps; ++t) {
      for (int c = 0; c < 4; ++c) sum[c] += from[t * 3 + c] * weight[t];
    }
    uint8_t pixel[4];
    for (int c = 0; c < 4; ++c) pixel[c] = static_cast<uint8_t>(sum[c] >> kPillowBits);
    std::memcpy(out + x * 3, pixel, sizeof(pixel));
  }
}

void RowResizer::stretch(const uint8_t* source, float* __restrict out) const {
  const int32_t* first = float_x_.first.data();
  const float* weight = float_x_.weight.data();
  for (int64_t x = 0, width = width_; x < width; ++x) {
    const uint8_t* from = source + int64_t{first[x]} * 3;
    const float near = weight[x * 2], far = weight[x * 2 + 1];
    float pixel[4];
    for (int c = 0; c < 4; ++c) pixel[c] = from[c] * near + from[c + 3] * far;
    std::memcpy(out + x * 3, pixel, sizeof(pixel));
  }
}

void RowResizer::opencv_row(int64_t y, uint8_t* __restrict out) {
  const int16_t* upper = stretched(y_.first[y], shorts_);
  const int16_t* lower = stretched(int64_t{y_.first[y]} + 1, shorts_);
  const int16_t near = static_cast<int16_t>(y_.weight[y * 2]), far = static_cast<int16_t>(y_.weight[y * 2 + 1]);
  for (int64_t i = 0, count = width_ * 3; i < count; ++i) {
    const int16_t a = static_cast<int16_t>((int32_t{upper[i]} * near) >> 16);
    const int16_t b = static_cast<int16_t>((int32_t{lower[i]} * far) >> 16);
    out[i] = static_cast<uint8_t>(static_cast<int16_t>(a + b + 2) >> 2);
  }
}

void RowResizer::pillow_row(int64_t y, uint8_t* __restrict out) {
  const int64_t count = width_ * 3;
  int32_t* __restrict sums = sums_.data();
  std::fill(sums, sums + count, 1 << (kPillowBits - 1));
  for (int t = 0; t < y_.taps; ++t) {
    const int32_t weight = y_.weight[y * y_.taps + t];
    if (weight == 0) continue;
    const uint8_t* from = stretched(int64_t{y_.first[y]} + t, bytes_);
    for (int64_t i = 0; i < count; ++i) sums[i] += from[i] * weight;
  }
  for (int64_t i = 0; i < count; ++i) out[i] = static_cast<uint8_t>(sums[i] >> kPillowBits);
}

void RowResizer::torch_row(int64_t y, float* __restrict out) {
  const float* upper = stretched(float_y_.first[y], floats_);
  const float* lower = stretched(int64_t{float_y_.first[y]} + 1, floats_);
  const float near = float_y_.weight[y * 2], far = float_y_.weight[y * 2 + 1];
  for (int64_t i = 0, count = width_ * 3; i < count; ++i) out[i] = upper[i] * near + lower[i] * far;
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

std::vector<int32_t> nearest_positions(int64_t in, int64_t out, NearestRule rule) {
  TS_CHECK(in > 0 && out > 0, "resizing a mask's side of ", in, " pixels to ", out, ": both must be at least 1");
  const bool centre = rule == NearestRule::kCentre;
  const double scale = centre ? static_cast<double>(in) / static_cast<double>(out)
                              : 1.0 / (static_cast<double>(out) / static_cast<double>(in));
  std::vector<int32_t> positions(static_cast<size_t>(out));
  double running = 0.5 * scale;  // Pillow adds the scale up, which decides where a position falls on a pixel's border
  for (int64_t i = 0; i < out; ++i, running += scale) {
    const auto at = static_cast<int64_t>(centre ? running : static_cast<double>(i) * scale);
    positions[i] = static_cast<int32_t>(std::min(at, in - 1));
  }
  return positions;
}

}  // namespace tailseg
