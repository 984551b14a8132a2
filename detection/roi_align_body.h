// RoIAlign over the levels of a feature pyramid, and its gradient by gather, from the table of roi_taps_body.h.
// Features and gradients are [N, H, W, C], results [R, P, P, C]; lanes walk the channels (contiguous).
#pragma once

#include "detection/roi_taps_body.h"
#include "tensor/channel_run.h"

namespace tailseg {

template <class Scalar>
struct RoiFeature {
  Scalar* data;  // [images, height, width, C]
  int64_t height, width;
  int64_t first_row;   // rows of all images and of the levels before this one
  int64_t first_item;  // items (row x tile) before this level
};

// One item = one row of bins of one RoI; lanes walk packs of channels.
template <class Scalar, int64_t kPack = 1>
struct RoiAlignForward {
  static constexpr const char* name = "roi_align_forward";
  static constexpr Lanes lanes = Lanes::warp;
  using Real = ComputeType<Scalar>;
  RoiTapTable<Real> taps;
  RoiFeature<const Scalar> features[kMaxRoiLevels];
  Scalar* out;  // [R, P, P, C]
  int64_t images, channels;

  template <class Group>
  TS_HD void operator()(Group group, int64_t item) const {
    const int64_t roi = item / taps.pooled;
    const TapRange y = taps.range(roi, 0, item % taps.pooled);
    const int64_t slot = taps.slot[roi];
    Scalar* row = out + item * taps.pooled * channels;
    if (slot < 0 || y.count == 0) {
      for (int64_t i = group.rank(); i < taps.pooled * channels; i += group.size()) row[i] = Scalar(Real(0));
      return;
    }
    const RoiFeature<const Scalar>& f = features[slot / images];
    const Scalar* top = f.data + (slot % images * f.height + y.first) * f.width * channels;
    const Real* wy = taps.weights_of(roi, 0) + y.at;
    for (int64_t q = 0; q < taps.pooled; ++q) {
      const TapRange x = taps.range(roi, 1, q);
      const Real* wx = taps.weights_of(roi, 1) + x.at;
      pool(group, top + x.first * channels, f.width * channels, wy, y.count, wx, x.count, row + q * channels);
    }
  }
  Cost cost(int64_t items) const {  // about 2.5 x 2.5 taps a bin
    const double bins = double(items) * double(taps.pooled) * double(channels);
    return {bins * 3.0 * sizeof(Scalar), bins * 13.0};
  }

 private:
  template <class Group>
  TS_HD void pool(Group group, const Scalar* from, int64_t stride, const Real* wy, int64_t rows, const Real* wx,
                  int64_t columns, Scalar* to) const {
    constexpr int64_t kRun = kChannelRun<Group, 64, kPack>;
    for (int64_t c = group.rank() * kRun; c < channels; c += group.size() * kRun) {
      const int64_t count = math::min(kRun, channels - c);
      Real sums[kRun] = {};
      for (int64_t r = 0; r < rows; ++r) {
        for (int64_t s = 0; s < columns; ++s) {
          add_scaled<kRun, kPack>(sums, wy[r] * wx[s], from + r * stride + s * channels + c, count);
        }
      }
      write_run<kRun, kPack>(to + c, sums, count);
    }
  }
};

// Which RoIs touch a row of a feature: one bit for each. One item = one row of one image of one level.
template <class Scalar>
struct RoiRowMask {
  static constexpr const char* name = "roi_row_mask";
  static constexpr Lanes lanes = Lanes::warp;
  const int32_t* slot;
  const int32_t* extents;
  uint32_t* mask;  // [rows of all levels, words]
  RoiFeature<Scalar> features[kMaxRoiLevels];
  int64_t levels, images, rois, words;

  template <class Group>
  TS_HD void operator()(Group group, int64_t item) const {
    int64_t level = 0;
    while (level + 1 < levels && item >= features[level + 1].first_row) ++level;
    const int64_t row = (item - features[level].first_row) % features[level].height;
    const int64_t mine = level * images + (item - features[level].first_row) / features[level].height;
    for (int64_t word = group.rank(); word < words; word += group.size()) {
      uint32_t bits = 0;
      const int64_t end = math::min<int64_t>(32, rois - word * 32);
      for (int64_t i = 0; i < end; ++i) {
        const int64_t roi = word * 32 + i;
        const bool touches = (slot[roi] == mine) & (extents[roi * 4] <= row) & (row < extents[roi * 4 + 1]);
        bits |= static_cast<uint32_t>(touches) << i;
      }
      mask[item * words + word] = bits;
    }
  }
  Cost cost(int64_t items) const { return {double(items) * double(words) * 4, double(items) * double(rois) * 4}; }
};

// The gradient of the features. One item = kTile columns of one row of one level's gradient: it alone writes them, and
// adds its RoIs in their order, so the result has the same bits whoever runs it. Every element is written.
template <class Scalar>
struct RoiAlignBackward {
  static constexpr const char* name = "roi_align_backward";
  static constexpr Lanes lanes = Lanes::block;
  static constexpr int64_t kTile = 16;
  using Real = ComputeType<Scalar>;
  RoiTapTable<Real> taps;
  const uint32_t* mask;                         // [rows of all levels, words]
  const Scalar* dy;                             // [R, P, P, C]
  RoiFeature<Scalar> gradients[kMaxRoiLevels];  // data null: not wanted
  int64_t levels, images, channels, words;

  template <class Group>
  TS_HD void operator()(Group group, int64_t item) const {
    int64_t level = 0;
    while (level + 1 < levels && item >= gradients[level + 1].first_item) ++level;
    const RoiFeature<Scalar>& g = gradients[level];
    const int64_t tiles = (g.width + kTile - 1) / kTile;
    const int64_t row_of_level = (item - g.first_item) / tiles;  // counts the images' rows one after the other
    const int64_t column = (item - g.first_item) % tiles * kTile;
    const int64_t columns = math::min(kTile, g.width - column);
    const uint32_t* bits = mask + (g.first_row + row_of_level) * words;
    Scalar* to = g.data + (row_of_level * g.width + column) * channels;
    constexpr int64_t kRun = kChannelRun<Group, 128>;
    for (int64_t c = group.rank() * kRun; c < channels; c += group.size() * kRun) {
      const int64_t count = math::min(kRun, channels - c);
      Real sums[kTile * kRun] = {};
      for (int64_t word = 0; word < words; ++word) {
        for (uint32_t rest = bits[word]; rest != 0; rest &= rest - 1) {
          gather<kRun>(sums, word * 32 + lowest_bit(rest), row_of_level % g.height, column, columns, c, count);
        }
      }
      for (int64_t s = 0; s < columns; ++s) {
        for (int64_t v = 0; v < count; ++v) to[s * channels + c + v] = Scalar(sums[s * kRun + v]);
      }
    }
  }
  Cost cost(int64_t items) const {
    const double elements = double(items) * double(kTile) * double(channels);
    return {elements * sizeof(Scalar), elements * 8.0};
  }

 private:
  TS_HD static int64_t lowest_bit(uint32_t bits) {
    int64_t position = 0;
    while (!(bits & 1u)) {
      bits >>= 1;
      ++position;
    }
    return position;
  }

  template <int64_t kRun>
  TS_HD void gather(Real* sums, int64_t roi, int64_t row, int64_t column, int64_t columns, int64_t c,
                    int64_t count) const {
    const int32_t* extent = taps.extents + roi * 4 + 2;
    if (extent[1] <= column || extent[0] >= column + columns) return;
    for (int64_t p = 0; p < taps.pooled; ++p) {
      const TapRange y = taps.range(roi, 0, p);
      if (row < y.first || row >= y.first + y.count) continue;
      const Real wy = taps.weights_of(roi, 0)[y.at + row - y.first];
      if (wy == Real(0)) continue;
      const Scalar* from = dy + (roi * taps.pooled + p) * taps.pooled * channels + c;
      for (int64_t q = 0; q < taps.pooled; ++q) {
        const TapRange x = taps.range(roi, 1, q);
        const int64_t begin = math::max<int64_t>(x.first, column);
        const int64_t end = math::min<int64_t>(x.first + x.count, column + columns);
        const Real* wx = taps.weights_of(roi, 1) + x.at - x.first;
        for (int64_t s = begin; s < end; ++s) {
          add_scaled<kRun>(sums + (s - column) * kRun, wy * wx[s], from + q * channels, count);
        }
      }
    }
  }
};

}  // namespace tailseg
