// RoIAlign's bilinear samples, one axis at a time.
//
// Every bin of a RoI averages a grid of bilinear samples. A sample's four weights are a product of two for the rows and
// two for the columns, and so is the average over the grid, so each bin is
//   out[p, q] = sum over rows r and columns s of  wy[p, r] * wx[q, s] * feature[r, s]
// This body writes wy and wx: the rows (columns) that a bin touches are a short range, and samples that share a row are
// merged. Pooling and its gradient read the same table, the gradient from the rows' side: which bins touch this one?
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

struct BinRange {
  int16_t first, end;  // the bins that touch a row (column); none: both are the bin behind it (before it, inside out)
};
constexpr int64_t kMaxPooled = 32767;

// The table as its readers see it. Axis 0 is y, axis 1 is x.
template <class Real>
struct RoiTapTable {
  const int32_t* slot;     // [R]: level * images + image, or -1 for an unused row
  const TapRange* ranges;  // [R, 2, P]
  const Real* weights;     // [R, 2, capacity]
  int64_t pooled;          // P
  int64_t capacity;

  TS_HD const TapRange& range(int64_t roi, int axis, int64_t bin) const {
    return ranges[(roi * 2 + axis) * pooled + bin];
  }
  TS_HD const Real* weights_of(int64_t roi, int axis) const { return weights + (roi * 2 + axis) * capacity; }
};

// The same from the rows' side.
struct RoiBinTable {
  const int32_t* extents;  // [R, 2, 2]: first row (column) of the whole RoI and one past its last
  const BinRange* bins;    // [R, 2, longest]: of every row (column) of the extent, from its first
  int64_t longest;         // the longest axis of a feature

  TS_HD const int32_t* extent(int64_t roi, int axis) const { return extents + (roi * 2 + axis) * 2; }
  TS_HD BinRange bins_at(int64_t roi, int axis, int64_t row) const {  // a row (column) of the extent
    return bins[(roi * 2 + axis) * longest + row - extent(roi, axis)[0]];
  }
};

// A bin's weights begin at its first row plus three for each bin that lies before it, so that no bin has to know how
// much the others need: consecutive bins share at most two rows, or three where a bin is smaller than the rounding of
// its coordinates. That rounding must be below a row, so a box may not begin farther away than 2^22 rows of the
// feature.
constexpr int64_t kSharedRows = 3;
constexpr int64_t kFarthestStart = int64_t{1} << 22;
constexpr int64_t roi_tap_capacity(int64_t longest_axis, int64_t pooled) { return longest_axis + kSharedRows * pooled; }

// One item = one bin of one axis of one RoI (thread).
template <class Real>
struct RoiTaps {
  static constexpr const char* name = "roi_taps";
  static constexpr Lanes lanes = Lanes::one;
  const float* rois;     // [R, 4]: x1, y1, x2, y2 in image pixels
  const int32_t* image;  // [R], -1: unused
  const int32_t* level;  // [R]
  int32_t* slot;         // as in RoiTapTable
  TapRange* ranges;
  Real* weights;
  int64_t sizes[kMaxRoiLevels][2];  // of each level: height, width
  Real scales[kMaxRoiLevels];
  int64_t levels, images, pooled, capacity;
  int64_t sampling;  // samples per bin and axis; 0: adaptive
  bool aligned;

  template <class Group>
  TS_HD void operator()(Group, int64_t item) const {
    const int64_t bin = item % pooled, line = item / pooled, roi = line / 2;  // line: of the table, one for each axis
    const int axis = static_cast<int>(line % 2);
    const int32_t l = level[roi], n = image[roi];
    const bool used = l >= 0 && l < levels && n >= 0 && n < images;
    if (axis == 0 && bin == 0) slot[roi] = used ? static_cast<int32_t>(l * images + n) : -1;
    const Real low = Real(rois[roi * 4 + (axis == 0 ? 1 : 0)]), high = Real(rois[roi * 4 + (axis == 0 ? 3 : 2)]);
    ranges[item] = used && math::finite(low) && math::finite(high)
                       ? write_bin(line, bin, math::mul_rounded(low, scales[l]), math::mul_rounded(high, scales[l]),
                                   sizes[l][axis])
                       : TapRange{0, 0, 0};
  }
  Cost cost(int64_t items) const { return {double(items) * 30, double(items) * 60}; }

 private:
  struct Samples {  // of one bin
    Real start, bin, grid;
    int64_t begin, end;  // those that may lie inside the feature
    TS_HD Real position(int64_t i) const { return start + (Real(i) + Real(0.5)) * bin / grid; }
  };

  TS_HD TapRange write_bin(int64_t line, int64_t p, Real low, Real high, int64_t size) const {
    const Real offset = aligned ? Real(0.5) : Real(0);
    const Real start = low - offset;
    if (!(math::abs(start) <= Real(kFarthestStart))) return {0, 0, 0};
    Real length = (high - offset) - start;
    if (!aligned) length = math::max(length, Real(1));
    const Real bin = length / Real(pooled);
    const Real grid = sampling > 0 ? Real(sampling) : math::ceil(bin);
    Samples samples = samples_inside(start + Real(p) * bin, bin, grid, size);
    const auto outside = [&](int64_t i) {
      const Real y = samples.position(i);
      return !(y >= Real(-1) && y <= Real(size));
    };
    while (samples.begin < samples.end && outside(samples.begin)) ++samples.begin;
    while (samples.begin < samples.end && outside(samples.end - 1)) --samples.end;
    if (samples.begin >= samples.end) return {0, 0, 0};
    // Of a box that is inside out the last sample has the lowest row, and the last bin the lowest rows.
    const int64_t one = row_of(samples.position(samples.begin), size);
    const int64_t other = row_of(samples.position(samples.end - 1), size);
    const int64_t first = math::min(one, other), last = math::min(math::max(one, other) + 1, size - 1);
    const int64_t at = first + kSharedRows * (length < Real(0) ? pooled - 1 - p : p);
    write_weights(samples, first, last, size, weights + line * capacity + at);
    return {static_cast<int32_t>(first), static_cast<int32_t>(last - first + 1), static_cast<int32_t>(at)};
  }

  TS_HD void write_weights(const Samples& samples, int64_t first, int64_t last, int64_t size, Real* w) const {
    for (int64_t k = 0; k <= last - first; ++k) w[k] = Real(0);
    for (int64_t i = samples.begin; i < samples.end; ++i) {
      const Real y = samples.position(i);
      const int64_t row = row_of(y, size);
      const Real fraction = row < size - 1 ? math::max(y, Real(0)) - Real(row) : Real(0);
      w[row - first] += (Real(1) - fraction) / samples.grid;
      if (row < size - 1) w[row - first + 1] += fraction / samples.grid;
    }
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

  TS_HD static int64_t row_of(Real y, int64_t size) {
    return math::min(static_cast<int64_t>(math::max(y, Real(0))), size - 1);
  }
};

// What the gradient needs besides: the extent of a RoI and the bins of its rows. One item = one axis of one RoI
// (thread).
struct RoiBins {
  static constexpr const char* name = "roi_bins";
  static constexpr Lanes lanes = Lanes::one;
  const TapRange* ranges;
  int32_t* extents;
  BinRange* bins;
  int64_t pooled, longest;

  // Bins follow each other, with rows in common or with rows between them that no sample touches; those of a box that
  // is inside out follow each other downwards.
  template <class Group>
  TS_HD void operator()(Group, int64_t item) const {
    const TapRange* of = ranges + item * pooled;
    int64_t begin = longest;
    for (int64_t p = 0; p < pooled; ++p) {
      if (of[p].count > 0) begin = math::min<int64_t>(begin, of[p].first);
    }
    BinRange* at = bins + item * longest;
    int64_t written = begin;  // rows below have their range
    for (int64_t p = 0; p < pooled; ++p) {
      if (of[p].count == 0) continue;
      const auto bin = static_cast<int16_t>(p), next = static_cast<int16_t>(p + 1);
      const int64_t end = of[p].first + of[p].count;
      for (; written < of[p].first; ++written) at[written - begin] = {bin, bin};
      for (int64_t row = of[p].first; row < math::min(end, written); ++row) {
        BinRange& here = at[row - begin];
        if (here.first == here.end) here.first = bin;
        here.end = next;
      }
      for (int64_t row = end; row < written && at[row - begin].first == at[row - begin].end; ++row) {
        at[row - begin] = {bin, bin};  // inside out: these lie between this bin and the one before it
      }
      for (; written < end; ++written) at[written - begin] = {bin, next};
    }
    extents[item * 2] = static_cast<int32_t>(written == begin ? 0 : begin);
    extents[item * 2 + 1] = static_cast<int32_t>(written == begin ? 0 : written);
  }
  Cost cost(int64_t items) const { return {double(items) * double(pooled) * 24, double(items) * double(pooled) * 20}; }
};

}  // namespace tailseg
