// RoIAlign of full-image 0/1 bitmaps, as mask targets: one channel, so lanes walk the columns instead.
#pragma once

#include "detection/roi_taps_body.h"

namespace tailseg {

// One item = one row of bins of one RoI. First its rows of the bitmap are summed with their weights (lanes walk the
// columns), then the bins' columns (lanes walk the bins).
struct BitmapRoiAlign {
  static constexpr const char* name = "bitmap_roi_align";
  static constexpr Lanes lanes = Lanes::warp;
  RoiTapTable<float> taps;
  const uint8_t* bitmaps;  // [G, H, W]
  int64_t height, width;
  float* scratch;  // [R * P, W]
  float* out;      // [R, P, P]

  template <class Group>
  TS_HD void operator()(Group group, int64_t item) const {
    const int64_t roi = item / taps.pooled;
    const TapRange y = taps.range(roi, 0, item % taps.pooled);
    const int32_t begin = taps.extents[roi * 4 + 2], end = taps.extents[roi * 4 + 3];
    const uint8_t* bitmap = bitmaps + math::max<int64_t>(taps.slot[roi], 0) * height * width;
    const float* wy = taps.weights_of(roi, 0) + y.at;
    float* sums = scratch + item * width;
    for (int64_t x = begin + group.rank(); x < end; x += group.size()) sums[x] = 0;
    for (int64_t r = 0; r < y.count; ++r) {
      const uint8_t* row = bitmap + (y.first + r) * width;
      const float weight = wy[r];
      for (int64_t x = begin + group.rank(); x < end; x += group.size()) sums[x] += weight * float(row[x] != 0);
    }
    group.sync();
    for (int64_t q = group.rank(); q < taps.pooled; q += group.size()) {
      const TapRange x = taps.range(roi, 1, q);
      const float* wx = taps.weights_of(roi, 1) + x.at;
      float total = 0;
      for (int64_t s = 0; s < x.count; ++s) total += wx[s] * sums[x.first + s];
      out[item * taps.pooled + q] = total;
    }
  }
  Cost cost(int64_t items) const { return {double(items) * double(width) * 4, double(items) * double(width) * 8}; }
};

}  // namespace tailseg
