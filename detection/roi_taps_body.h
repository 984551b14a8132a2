// RoIAlign's bilinear samples, one axis at a time.
//
// Every bin of a RoI averages a grid of bilinear samples. A sample's four weights are a product of two for the rows and
// two for the columns, and so is the average over the grid, so each bin is
//   out[p, q] = sum over rows r and columns s of  wy[p, r] * wx[q, s] * feature[r, s]
// This body writes wy and wx: the rows (columns) that a bin touches are a short range, and samples that share a row are
// merged. Pooling and its gradient read the same table.
//
// Formula (METHODS 2.7, after torchvision and mmcv). With scale s, offset 0.5 when aligned, else 0, and P bins:
//   start = x1*s - offset,  length = x2*s - offset - start  (unaligned: at least 1),  bin = length / P
//   grid = sampling when > 0 (fixed), else ceil(bin)  (adaptive; none for length <= 0)
//   sample i of bin p at  y = start + p*bin + (i + 0.5)*bin/grid,  weight 1/grid
//   y < -1 or y > H: nothing. Else y = max(y, 0), y0 = floor(y); y0 >= H-1: all on row H-1; else split on y0 and y0+1.
#pragma once

#include "tensor/body.h"

namespace tailseg {

constexpr int kMaxRoiLevels = 5;

struct TapRange {
  int32_t first;  // the first row (column) of the feature that the bin touches
  int32_t count;  // how many follow each other; 0: every sample lies outside
  int32_t at;     // where the weights of this bin begin
};

// The table as its readers see it. Axis 0 is y, axis 1 is x.
template <class Real>
struct RoiTapTable {
  const int32_t* slot;     // [R]: level * images + image, or -1 for an unused row
  const TapRange* ranges;  // [R, 2, P]
  const int32_t* extents;  // [R, 2, 2]: first row (column) of the whole RoI and one past its last
  const Real* weights;     // [R, 2, capacity]
  int64_t pooled;          // P
  int64_t capacity;

  TS_HD const TapRange& range(int64_t roi, int axis, int64_t bin) const {
    return ranges[(roi * 2 + axis) * pooled + bin];
  }
  TS_HD const Real* weights_of(int64_t roi, int axis) const { return weights + (roi * 2 + axis) * capacity; }
};

// Consecutive bins share at most two rows, or three where a bin is smaller than the rounding of its coordinates.
constexpr int64_t roi_tap_capacity(int64_t longest_axis, int64_t pooled) { return longest_axis + 3 * pooled; }

// One item = one axis of one RoI (thread).
template <class Real>
struct RoiTaps {
  static constexpr const char* name = "roi_taps";
  static constexpr Lanes lanes = Lanes::one;
  const float* rois;     // [R, 4]: x1, y1, x2, y2 in image pixels
  const int32_t* image;  // [R], -1: unused
  const int32_t* level;  // [R]
  int32_t* slot;         // as in RoiTapTable
  TapRange* ranges;
  int32_t* extents;
  Real* weights;
  int64_t sizes[kMaxRoiLevels][2];  // of each level: height, width
  Real scales[kMaxRoiLevels];
  int64_t levels, images, pooled, capacity;
  int64_t sampling;  // samples per bin and axis; 0: adaptive
  bool aligned;

  template <class Group>
  TS_HD void operator()(Group, int64_t item) const {
    const int64_t roi = item / 2;
    const int axis = static_cast<int>(item % 2);
    const int32_t l = level[roi], n = image[roi];
    const bool used = l >= 0 && l < levels && n >= 0 && n < images;
    if (axis == 0) slot[roi] = used ? static_cast<int32_t>(l * images + n) : -1;
    const Real low = Real(rois[roi * 4 + (axis == 0 ? 1 : 0)]), high = Real(rois[roi * 4 + (axis == 0 ? 3 : 2)]);
    if (used && math::finite(low) && math::finite(high)) {
      write_axis(item, math::mul_rounded(low, scales[l]), math::mul_rounded(high, scales[l]), sizes[l][axis]);
    } else {
      for (int64_t bin = 0; bin < pooled; ++bin) ranges[item * pooled + bin] = {0, 0, 0};
      extents[item * 2] = extents[item * 2 + 1] = 0;
    }
  }
  Cost cost(int64_t items) const { return {double(items) * double(pooled) * 40, double(items) * double(pooled) * 60}; }

 private:
  struct Samples {  // of one bin
    Real start, bin, grid;
    int64_t begin, end;  // those that may lie inside the feature
    TS_HD Real position(int64_t i) const { return start + (Real(i) + Real(0.5)) * bin / grid; }
  };

  TS_HD void write_axis(int64_t item, Real low, Real high, int64_t size) const {
    const Real offset = aligned ? Real(0.5) : Real(0);
    const Real start = low - offset;
    Real length = (high - offset) - start;
    if (!aligned) length = math::max(length, Real(1));
    const Real bin = length / Real(pooled);
    const Real grid = sampling > 0 ? Real(sampling) : math::ceil(bin);
    int64_t at = 0, begin = size, end = 0;
    for (int64_t p = 0; p < pooled; ++p) {
      const TapRange range = write_bin(item, samples_inside(start + Real(p) * bin, bin, grid, size), size, at);
      ranges[item * pooled + p] = range;
      at += range.count;
      if (range.count > 0) {
        begin = math::min<int64_t>(begin, range.first);
        end = math::max<int64_t>(end, range.first + range.count);
      }
    }
    extents[item * 2] = static_cast<int32_t>(math::min(begin, end));
    extents[item * 2 + 1] = static_cast<int32_t>(end);
  }

  // A box may be far larger than the feature: only the samples near it are visited, however many there are.
  TS_HD static Samples samples_inside(Real start, Real bin, Real grid, int64_t size) {
    Samples s{start, bin, grid, 0, 0};
    const Real step = bin / grid;
    if (!(grid >= Real(1)) || !math::finite(step)) return s;
    s.end = whole(grid);
    if (step > Real(0)) {
      s.begin = whole((Real(-1) - start) / step - Real(2));
      s.end = math::min(s.end, whole((Real(size) - start) / step + Real(2)));
    }
    return s;
  }
  TS_HD static int64_t whole(Real x) { return x > Real(0) ? static_cast<int64_t>(math::min(x, Real(1e9))) : 0; }

  TS_HD TapRange write_bin(int64_t item, const Samples& samples, int64_t size, int64_t at) const {
    int64_t first = size, last = -1;
    for (int64_t i = samples.begin; i < samples.end; ++i) {
      const Real y = samples.position(i);
      if (!(y >= Real(-1) && y <= Real(size))) continue;
      const int64_t row = row_of(y, size);
      first = math::min(first, row);
      last = math::max(last, math::min(row + 1, size - 1));
    }
    if (last < first) return {0, 0, static_cast<int32_t>(at)};
    Real* w = weights + item * capacity + at;
    for (int64_t k = 0; k <= last - first; ++k) w[k] = Real(0);
    for (int64_t i = samples.begin; i < samples.end; ++i) {
      const Real y = samples.position(i);
      if (!(y >= Real(-1) && y <= Real(size))) continue;
      const int64_t row = row_of(y, size);
      const Real fraction = row < size - 1 ? math::max(y, Real(0)) - Real(row) : Real(0);
      w[row - first] += (Real(1) - fraction) / samples.grid;
      if (row < size - 1) w[row - first + 1] += fraction / samples.grid;
    }
    return {static_cast<int32_t>(first), static_cast<int32_t>(last - first + 1), static_cast<int32_t>(at)};
  }
  TS_HD static int64_t row_of(Real y, int64_t size) {
    return math::min(static_cast<int64_t>(math::max(y, Real(0))), size - 1);
  }
};

}  // namespace tailseg
