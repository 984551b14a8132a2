// One item = kTile neighbouring boxes of one image; lanes walk them. On a group of one the tile's coordinates are
// brought side by side first, so that one ground truth meets all of them in vector registers, and ground truth that
// does not touch the tile at all is skipped: neighbouring anchors lie together, so that is most of it.
#pragma once

#include "detection/box.h"
#include "detection/matcher.h"

namespace tailseg {

constexpr int kTile = 128;

// kWidth boxes, coordinate by coordinate. Boxes that take no part overlap nothing.
template <class Real, int kWidth>
struct BoxTile {
  Real x1[kWidth], y1[kWidth], x2[kWidth], y2[kWidth], area[kWidth];
  Box<Real> around;  // encloses the tile

  // Those from `first` to before `end`, where they are usable.
  TS_HD void load(const Real* boxes, const uint8_t* usable, int64_t first, int64_t end) {
    for (int i = 0; i < kWidth; ++i) {
      const bool in = i >= first && i < end && (!usable || usable[i]);
      const Box<Real> box = in ? load_box(boxes + i * 4) : no_box<Real>();
      x1[i] = box.x1;
      y1[i] = box.y1;
      x2[i] = box.x2;
      y2[i] = box.y2;
    }
    for (int i = 0; i < kWidth; ++i) area[i] = at(i).area();
    if constexpr (kWidth > 1) {
      around = {-largest([&](int i) { return -x1[i]; }), -largest([&](int i) { return -y1[i]; }),
                largest([&](int i) { return x2[i]; }), largest([&](int i) { return y2[i]; })};
    }
  }
  TS_HD Box<Real> at(int i) const { return {x1[i], y1[i], x2[i], y2[i]}; }

  TS_HD bool may_touch(const Box<Real>& box) const {
    if constexpr (kWidth == 1) {
      return true;
    } else {
      return around.x1 < box.x2 && box.x1 < around.x2 && around.y1 < box.y2 && box.y1 < around.y2;
    }
  }

  // The largest of value(0) ... value(kWidth - 1), NaN left out. Sixteen running maxima fill a vector register.
  template <class Value>
  TS_HD static Real largest(Value value) {
    constexpr int kWays = kWidth < 16 ? kWidth : 16;
    Real best[kWays];
    for (int j = 0; j < kWays; ++j) best[j] = -std::numeric_limits<Real>::infinity();
    for (int i = 0; i < kWidth; i += kWays) {
      for (int j = 0; j < kWays; ++j) best[j] = math::max(best[j], value(i + j));
    }
    Real total = best[0];
    for (int j = 1; j < kWays; ++j) total = math::max(total, best[j]);
    return total;
  }
};

// What both passes read.
template <class Real>
struct MatchArguments {
  const Real* truth;           // [N, G, 4]
  const int32_t* truth_count;  // [N]
  const Real* boxes;           // [A, 4] or [N, A, 4]
  const int32_t* box_count;    // [N] or null
  const uint8_t* usable;       // [N, A] or null
  int64_t truth_capacity;      // G
  int64_t boxes_per_image;     // A
  int64_t chunks;              // ceil(A / kTile)
  bool shared_boxes;
  bool truth_leads;  // the image's first boxes are its ground truth
  Real min_union;

  struct Chunk {
    int64_t image, first, count;
    int64_t own, used;  // before `own` lies ground truth itself, from `used` on nothing
    const Real* boxes;
    const uint8_t* usable;
  };
  TS_HD Chunk chunk(int64_t item) const {
    const int64_t n = item / chunks, first = item % chunks * kTile;
    const int64_t count = math::min(int64_t(kTile), boxes_per_image - first);
    const int64_t limit = box_count ? box_count[n] : boxes_per_image;
    const int64_t used = math::clamp(limit - first, int64_t(0), count);
    return {n,
            first,
            count,
            truth_leads ? math::clamp(truths(n) - first, int64_t(0), used) : 0,
            used,
            boxes + ((shared_boxes ? 0 : n * boxes_per_image) + first) * 4,
            usable ? usable + n * boxes_per_image + first : nullptr};
  }
  template <int kWidth>
  TS_HD void load(BoxTile<Real, kWidth>& tile, const Chunk& chunk, int64_t base) const {
    tile.load(chunk.boxes + base * 4, chunk.usable ? chunk.usable + base : nullptr, chunk.own - base,
              chunk.used - base);
  }
  TS_HD int64_t truths(int64_t n) const { return math::clamp(int64_t(truth_count[n]), int64_t(0), truth_capacity); }
  Cost cost(int64_t items) const {
    const double total = double(items) * kTile;
    return {total * (4 * sizeof(Real)), total * double(truth_capacity) * 15};
  }
};

// Each ground truth's best overlap within one chunk of boxes.
template <class Real>
struct BestOfTruthInChunk {
  static constexpr const char* name = "match_best_of_truth";
  static constexpr Lanes lanes = Lanes::warp;
  MatchArguments<Real> in;
  Real* best;  // [N, G, chunks]

  template <class Group>
  TS_HD void operator()(Group group, int64_t item) const {
    constexpr int kWidth = Group::kSolo ? kTile : 1;
    const auto chunk = in.chunk(item);
    BoxTile<Real, kWidth> tile;
    if constexpr (Group::kSolo) in.load(tile, chunk, 0);
    const int64_t truths = in.truths(chunk.image);
    for (int64_t g = 0; g < truths; ++g) {
      const int64_t row = chunk.image * in.truth_capacity + g;
      const Box<Real> truth = load_box(in.truth + row * 4);
      const Real area = truth.area();
      Real largest = 0;
      for (int64_t base = group.rank() * kWidth; base < chunk.used; base += group.size() * kWidth) {
        if constexpr (!Group::kSolo) in.load(tile, chunk, base);
        if (!tile.may_touch(truth)) continue;
        largest = math::max(
            largest, tile.largest([&](int i) { return overlap(truth, area, tile.at(i), tile.area[i], in.min_union); }));
      }
      largest = group.max(largest);
      if (group.rank() == 0) best[row * in.chunks + item % in.chunks] = largest;
    }
  }
  Cost cost(int64_t items) const { return in.cost(items); }
};

// One item = one ground truth; lanes walk its chunks (contiguous).
template <class Real>
struct BestOfTruth {
  static constexpr const char* name = "match_best_of_truth_total";
  static constexpr Lanes lanes = Lanes::warp;
  const Real* chunk_best;  // [N, G, chunks]
  const int32_t* truth_count;
  Real* best;  // [N, G]
  int64_t truth_capacity, chunks;

  template <class Group>
  TS_HD void operator()(Group group, int64_t row) const {
    if (row % truth_capacity >= truth_count[row / truth_capacity]) return;
    const Real largest = max_over(group, chunks, Real(0), [&](int64_t i) { return chunk_best[row * chunks + i]; });
    if (group.rank() == 0) best[row] = largest;
  }
  Cost cost(int64_t rows) const {
    return {double(rows) * double(chunks) * sizeof(Real), double(rows) * double(chunks)};
  }
};

// Each box's best ground truth, thresholds and the low-quality rule.
template <class Real>
struct MatchChunk {
  static constexpr const char* name = "match_boxes";
  static constexpr Lanes lanes = Lanes::warp;
  MatchArguments<Real> in;
  const Real* truth_best;  // [N, G]
  int32_t* index;          // [N, A]
  Real* best_overlap;      // [N, A]
  Real positive, negative, low_quality_minimum;
  LowQuality low_quality;

  // The overlap that makes a box this ground truth's own; -1: none does.
  TS_HD Real tie_of(int64_t row, Real truth_area) const {
    if (low_quality == LowQuality::off || !(truth_area > Real(0))) return -1;
    if (low_quality == LowQuality::reassign && !(truth_best[row] >= low_quality_minimum)) return -1;
    return truth_best[row];
  }
  TS_HD int32_t decide(Real best, int32_t argmax, int32_t tied, bool any_truth) const {
    if (tied >= 0) return low_quality == LowQuality::reassign ? tied : argmax;
    if (any_truth && best >= positive) return argmax;
    return !any_truth || best < negative ? kBackground : kIgnored;
  }

  template <class Group>
  TS_HD void operator()(Group group, int64_t item) const {
    constexpr int kWidth = Group::kSolo ? kTile : 1;
    const auto chunk = in.chunk(item);
    const int64_t truths = in.truths(chunk.image);
    for (int64_t base = group.rank() * kWidth; base < chunk.count; base += group.size() * kWidth) {
      BoxTile<Real, kWidth> tile;
      in.load(tile, chunk, base);
      Real best[kWidth] = {};
      int32_t argmax[kWidth] = {};
      int32_t tied[kWidth];
      for (int i = 0; i < kWidth; ++i) tied[i] = -1;
      for (int64_t g = 0; g < truths; ++g) {
        const int64_t row = chunk.image * in.truth_capacity + g;
        const Box<Real> truth = load_box(in.truth + row * 4);
        const Real area = truth.area(), tie = tie_of(row, area);
        if (tie != Real(0) && !tile.may_touch(truth)) continue;
        const auto mine = static_cast<int32_t>(g);
        for (int i = 0; i < kWidth; ++i) {
          const Real shared = overlap(truth, area, tile.at(i), tile.area[i], in.min_union);
          argmax[i] = shared > best[i] ? mine : argmax[i];
          best[i] = shared > best[i] ? shared : best[i];
          tied[i] = shared == tie ? mine : tied[i];
        }
      }
      const int64_t out = chunk.image * in.boxes_per_image + chunk.first + base;
      const int64_t width = math::min(int64_t(kWidth), chunk.count - base);
      for (int64_t i = 0; i < width; ++i) {
        const bool takes_part = base + i < chunk.used && (!chunk.usable || chunk.usable[base + i]);
        const bool itself = base + i < chunk.own;
        const int32_t found = takes_part ? decide(best[i], argmax[i], tied[i], truths > 0) : kIgnored;
        index[out + i] = itself ? static_cast<int32_t>(chunk.first + base + i) : found;
        best_overlap[out + i] = itself ? Real(1) : best[i];
      }
    }
  }
  Cost cost(int64_t items) const { return in.cost(items); }
};

}  // namespace tailseg
