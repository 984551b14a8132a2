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

// One item = one row of bins of one RoI, or one bin where lanes walk packs: a warp that pools a whole row of a large
// RoI is awaited long after the others.
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
    const int64_t bins = bins_of_item(), first = item * bins % taps.pooled;
    const int64_t line = item * bins / taps.pooled, roi = line / taps.pooled;
    const TapRange y = taps.range(roi, 0, line % taps.pooled);
    const int64_t slot = taps.slot[roi];
    Scalar* to = out + item * bins * channels;
    if (slot < 0 || y.count == 0) {
      for (int64_t i = group.rank(); i < bins * channels; i += group.size()) to[i] = Scalar(Real(0));
      return;
    }
    const RoiFeature<const Scalar>& f = features[slot / images];
    const Scalar* top = f.data + (slot % images * f.height + y.first) * f.width * channels;
    const Real* wy = taps.weights_of(roi, 0) + y.at;
    for (int64_t q = first; q < first + bins; ++q) {
      const TapRange x = taps.range(roi, 1, q);
      const Real* wx = taps.weights_of(roi, 1) + x.at;
      pool(group, top + x.first * channels, f.width * channels, wy, y.count, wx, x.count, to + (q - first) * channels);
    }
  }
  TS_HD int64_t bins_of_item() const { return kPack > 1 ? 1 : taps.pooled; }
  Cost cost(int64_t items) const {  // about 2.5 x 2.5 taps a bin
    const double bins = double(items) * double(bins_of_item()) * double(channels);
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

// Where an image's RoIs lie among all, in words of 32. One item = one image.
struct RoiImageWords {
  static constexpr const char* name = "roi_image_words";
  static constexpr Lanes lanes = Lanes::block;
  const int32_t* slot;  // [R], of RoiTaps
  int32_t* span;        // [images, 2]: the first word with a RoI of this image, one past the last; equal: none
  int64_t rois, images;

  template <class Group>
  TS_HD void operator()(Group group, int64_t item) const {
    const auto here = [&](int64_t roi) { return slot[roi] >= 0 && slot[roi] % images == item; };
    const int64_t none = -rois - 1;  // below every -roi
    const int64_t last = max_over<int64_t>(group, rois, none, [&](int64_t roi) { return here(roi) ? roi : none; });
    const int64_t first = -max_over<int64_t>(group, rois, none, [&](int64_t roi) { return here(roi) ? -roi : none; });
    if (group.rank() != 0) return;
    span[item * 2] = static_cast<int32_t>(last < 0 ? 0 : first / 32);
    span[item * 2 + 1] = static_cast<int32_t>(last < 0 ? 0 : last / 32 + 1);
  }
  Cost cost(int64_t items) const { return {double(rois) * 4, double(items) * double(rois) * 4}; }
};

// Which RoIs touch a row of a feature: one bit for each. One item = one row of one image of one level.
template <class Scalar>
struct RoiRowMask {
  static constexpr const char* name = "roi_row_mask";
  static constexpr Lanes lanes = Lanes::warp;
  const int32_t* slot;
  const int32_t* extents;
  const int32_t* span;  // of RoiImageWords: the words of this image, the only ones that are written
  uint32_t* mask;       // [rows of all levels, words]
  RoiFeature<Scalar> features[kMaxRoiLevels];
  int64_t levels, images, rois, words;

  template <class Group>
  TS_HD void operator()(Group group, int64_t item) const {
    int64_t level = 0;
    while (level + 1 < levels && item >= features[level + 1].first_row) ++level;
    const int64_t row = (item - features[level].first_row) % features[level].height;
    const int64_t image = (item - features[level].first_row) / features[level].height;
    for (int64_t word = span[image * 2] + group.rank(); word < span[image * 2 + 1]; word += group.size()) {
      uint32_t bits = 0;
      const int64_t end = math::min<int64_t>(32, rois - word * 32);
      for (int64_t i = 0; i < end; ++i) {
        const int64_t roi = word * 32 + i;
        const bool touches =
            (slot[roi] == level * images + image) & (extents[roi * 4] <= row) & (row < extents[roi * 4 + 1]);
        bits |= static_cast<uint32_t>(touches) << i;
      }
      mask[item * words + word] = bits;
    }
  }
  Cost cost(int64_t items) const {
    return {double(items) * double(words) / double(images) * 4, double(items) * double(rois) / double(images) * 4};
  }
};

// The gradient of the features. One item = kTile columns of one row of one level's gradient: it alone writes them, and
// adds its RoIs in their order, so the result has the same bits whoever runs it. Every element is written. Lanes walk
// packs of channels. On a GPU the sums of a tile are registers, so a tile is narrow there and its loop is unrolled.
template <class Scalar, int64_t kPack = 1>
struct RoiAlignBackward {
  static constexpr const char* name = "roi_align_backward";
  static constexpr Lanes lanes = Lanes::warp;
  static constexpr int kTile = kPack > 1 ? 4 : 16;
  using Real = ComputeType<Scalar>;
  RoiTapTable<Real> taps;
  RoiBinTable side;
  const uint32_t* mask;                         // [rows of all levels, words]
  const int32_t* span;                          // [images, 2]: the words of an image
  const Scalar* dy;                             // [R, P, P, C]
  RoiFeature<Scalar> gradients[kMaxRoiLevels];  // data null: not wanted
  int64_t levels, channels, words;

  template <class Group>
  TS_HD void operator()(Group group, int64_t item) const {
    int64_t level = 0;
    while (level + 1 < levels && item >= gradients[level + 1].first_item) ++level;
    const RoiFeature<Scalar>& g = gradients[level];
    const int64_t tiles = (g.width + kTile - 1) / kTile;
    const int64_t row_of_level = (item - g.first_item) / tiles;  // counts the images' rows one after the other
    const auto column = static_cast<int>((item - g.first_item) % tiles * kTile);
    const int columns = math::min(kTile, static_cast<int>(g.width) - column);
    const int64_t image = row_of_level / g.height, row = row_of_level % g.height;
    const uint32_t* bits = mask + (g.first_row + row_of_level) * words;
    Scalar* to = g.data + (row_of_level * g.width + column) * channels;
    constexpr int64_t kRun = kChannelRun<Group, 128, kPack>;
    for (int64_t c = group.rank() * kRun; c < channels; c += group.size() * kRun) {
      const int64_t count = math::min(kRun, channels - c);
      Real sums[kTile * kRun] = {};
      for (int64_t word = span[image * 2]; word < span[image * 2 + 1]; ++word) {
        for (uint32_t rest = bits[word]; rest != 0; rest &= rest - 1) {
          gather<kRun>(sums, word * 32 + math::lowest_bit(rest), row, column, c, count);
        }
      }
      for_columns<kRun>(0, columns,
                        [&](int s) { write_run<kRun, kPack>(to + s * channels + c, sums + s * kRun, count); });
    }
  }
  Cost cost(int64_t items) const {
    const double elements = double(items) * double(kTile) * double(channels);
    return {elements * sizeof(Scalar), elements * 8.0};
  }

 private:
  // f(s) for s in [begin, end) of a tile. A lane with one pack of each column keeps them in registers, and those have
  // no address: s must be the constant of an unrolled loop.
  template <int64_t kRun, class Function>
  TS_HD static void for_columns(int begin, int end, Function f) {
    if constexpr (kRun == kPack) {
      for (int s = 0; s < kTile; ++s) {
        if (s >= begin && s < end) f(s);
      }
    } else {
      for (int s = math::max(begin, 0); s < math::min(end, kTile); ++s) f(s);
    }
  }

  // Adds what one RoI that touches this row gives to the tile that begins at `column`. The loop over q is where the
  // time goes: it counts in 32 bits and moves pointers along.
  template <int64_t kRun>
  TS_HD void gather(Real* sums, int64_t roi, int64_t row, int column, int64_t c, int64_t count) const {
    const int left = math::max(side.extent(roi, 1)[0], column);
    const int right = math::min(side.extent(roi, 1)[1], column + kTile);
    if (left >= right) return;
    const BinRange rows = side.bins_at(roi, 0, row);
    const BinRange at_left = side.bins_at(roi, 1, left), at_right = side.bins_at(roi, 1, right - 1);
    const int first = math::min(at_left.first, at_right.first), last = math::max(at_left.end, at_right.end);
    for (int p = rows.first; p < rows.end; ++p) {
      const TapRange y = taps.range(roi, 0, p);
      const Real wy = taps.weights_of(roi, 0)[y.at + row - y.first];
      if (wy == Real(0)) continue;
      const TapRange* x = &taps.range(roi, 1, first);
      const Scalar* from = dy + ((roi * taps.pooled + p) * taps.pooled + first) * channels + c;
      for (int q = first; q < last; ++q, ++x, from += channels) {
        const int begin = x->first - column;  // the bin's first column, counted from the tile's
        const Real* wx = taps.weights_of(roi, 1) + (x->at - begin);
        const ChannelRun<Scalar, kRun, kPack> bin(from, count);
        for_columns<kRun>(begin, begin + x->count, [&](int s) { bin.add_to(sums + s * kRun, wy * wx[s]); });
      }
    }
  }
};

}  // namespace tailseg
