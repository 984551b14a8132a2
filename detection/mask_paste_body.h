// Two passes, because bilinear interpolation is separable: first each photo column's blend of two mask columns, then
// the photo's rows from that.
#pragma once

#include "tensor/body.h"

namespace tailseg {

// How one axis of one mask maps to the photo: photo pixel i reads position (i + 0.5 - start) * scale + shift of the
// mask with a border of zeros around it. Positions beyond the border read the border.
struct PasteAxis {
  float start, scale, shift;

  TS_HD float position(int32_t i, float last) const {
    return math::clamp((static_cast<float>(i) + 0.5f - start) * scale + shift, 0.f, last);
  }
};

struct PasteJob {
  PasteAxis x, y;
  int32_t left, top, width, height;  // the part of the photo
  int64_t begin, first_column;       // in the output; columns of the masks before
};

// One item = one column of one mask's part; lanes walk the rows of the bordered mask.
struct BlendMaskColumns {
  static constexpr const char* name = "blend_mask_columns";
  static constexpr Lanes lanes = Lanes::warp;
  const float* masks;     // [D, M, M]
  const PasteJob* jobs;   // [D]
  const int32_t* job_of;  // [columns]
  float* blends;          // [columns, M + 2]
  int32_t size;           // M

  TS_HD float texel(const float* mask, int32_t row, int32_t column) const {
    const bool inside = row > 0 && row <= size && column > 0 && column <= size;
    return inside ? mask[(row - 1) * size + column - 1] : 0.f;
  }
  template <class Group>
  TS_HD void operator()(Group group, int64_t item) const {
    const PasteJob& job = jobs[job_of[item]];
    const float* mask = masks + int64_t{job_of[item]} * size * size;
    const auto column = static_cast<int32_t>(item - job.first_column);
    const float x = job.x.position(job.left + column, static_cast<float>(size + 1));
    const int32_t x0 = math::min(static_cast<int32_t>(x), size);
    const float right = x - static_cast<float>(x0), left = 1 - right;
    for (auto row = static_cast<int32_t>(group.rank()); row < size + 2; row += static_cast<int32_t>(group.size())) {
      blends[item * (size + 2) + row] = left * texel(mask, row, x0) + right * texel(mask, row, x0 + 1);
    }
  }
  Cost cost(int64_t items) const { return {12.0 * double(items) * (size + 2), 10.0 * double(items) * (size + 2)}; }
};

// One item = one column of one mask's part; lanes walk its rows (contiguous), on a group of one 32 at a time, which the
// compiler makes one gather (measured: 4 times faster than row by row). Value: uint8_t compares with the threshold,
// float keeps the probability.
template <class Value>
struct PasteMaskColumn {
  static constexpr const char* name = "paste_mask_column";
  static constexpr Lanes lanes = Lanes::warp;
  const float* blends;    // [columns, M + 2]
  const PasteJob* jobs;   // [D]
  const int32_t* job_of;  // [columns]
  Value* out;
  int32_t size;   // M
  double pixels;  // of all parts
  float threshold;
  bool inclusive;  // >= threshold, else >

  template <class Group>
  TS_HD void operator()(Group group, int64_t item) const {
    constexpr int kWidth = Group::kSolo ? 32 : 1;
    const PasteJob job = jobs[job_of[item]];
    const float* blend = blends + item * (size + 2);
    const auto last = static_cast<float>(size + 1);
    Value* to = out + job.begin + (item - job.first_column) * job.height;
    const auto step = static_cast<int32_t>(group.size()) * kWidth;
    for (auto base = static_cast<int32_t>(group.rank()) * kWidth; base < job.height; base += step) {
      float value[kWidth];
      for (int32_t i = 0; i < kWidth; ++i) {
        const float y = job.y.position(job.top + base + i, last);
        const int32_t y0 = math::min(static_cast<int32_t>(y), size);
        const float low = y - static_cast<float>(y0);
        value[i] = (1 - low) * blend[y0] + low * blend[y0 + 1];
      }
      const int32_t count = math::min(kWidth, job.height - base);
      for (int32_t i = 0; i < count; ++i) to[base + i] = finished(value[i]);
    }
  }
  Cost cost(int64_t items) const { return {double(items) * (size + 2) * 4 + pixels * sizeof(Value), pixels * 12}; }

 private:
  TS_HD Value finished(float probability) const {
    if constexpr (sizeof(Value) == 1) {
      return inclusive ? probability >= threshold : probability > threshold;
    } else {
      return probability;
    }
  }
};

}  // namespace tailseg
