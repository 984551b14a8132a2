#pragma once

#include "detection/box_coder_body.h"
#include "detection/proposals.h"

namespace tailseg {

// Where a level's numbers are. Real: the type that scores and boxes are computed in.
template <class Scalar>
struct RpnView {
  const Scalar* scores;  // [N, H, W, score_stride], moved to the first score
  const Scalar* deltas;  // [N, H, W, delta_stride], moved to the first delta
  int64_t score_stride, delta_stride;
  int64_t width, per_cell, count;  // cells in a row, anchors in a cell, anchors in an image
};

// One item = one row of cells of one image; lanes walk the cells. The keys by which anchors are ranked.
template <class Scalar>
struct RankAnchors {
  static constexpr const char* name = "rank_anchors";
  static constexpr Lanes lanes = Lanes::warp;
  using Real = ComputeType<Scalar>;
  RpnView<Scalar> in;
  Real* keys;  // [N, H * W * A]
  bool sigmoid;

  template <class Group>
  TS_HD void operator()(Group group, int64_t row) const {
    constexpr Real kNever = -std::numeric_limits<Real>::infinity();
    const Scalar* scores = in.scores + row * in.width * in.score_stride;
    Real* out = keys + row * in.width * in.per_cell;
    for (int64_t x = group.rank(); x < in.width; x += group.size()) {
      for (int64_t a = 0; a < in.per_cell; ++a) {
        const Real score = Real(scores[x * in.score_stride + a]);
        out[x * in.per_cell + a] = !math::finite(score) ? kNever : (sigmoid ? math::sigmoid(score) : score);
      }
    }
  }
  Cost cost(int64_t rows) const {
    const double anchors = double(rows) * double(in.width * in.per_cell);
    return {anchors * (sizeof(Scalar) + sizeof(Real)), anchors * 20};
  }
};

// One item = one slot of one image in this level's segment (thread): decode, clip, judge.
template <class Scalar>
struct DecodeRanked {
  static constexpr const char* name = "decode_proposals";
  static constexpr Lanes lanes = Lanes::one;
  using Real = ComputeType<Scalar>;
  RpnView<Scalar> in;
  const Real* anchors;                            // [A of this level, 4]
  const Real* keys;                               // [N, K of this level], best first
  const int32_t* ranked;                          // [N, K of this level]: anchor, -1 behind the last
  const int32_t* image_sizes;                     // [N, 2]
  Real* boxes;                                    // [N, L, K, 4]
  Real* scores;                                   // [N, L, K]
  uint8_t* valid;                                 // [N, L, K]
  int64_t ranked_count, capacity, level, levels;  // K of this level, K, l, L
  BoxCoder<Real> coder;
  Real smallest;
  bool smallest_counts;

  TS_HD bool large_enough(Real extent) const { return smallest_counts ? extent >= smallest : extent > smallest; }

  template <class Group>
  TS_HD void operator()(Group group, int64_t item) const {
    if (group.rank() != 0) return;
    const int64_t n = item / capacity, slot = item % capacity, out = (n * levels + level) * capacity + slot;
    const int64_t anchor = slot < ranked_count ? ranked[n * ranked_count + slot] : -1;
    Box<Real> box{};
    Real score = 0;
    bool good = anchor >= 0;
    if (good) {
      score = keys[n * ranked_count + slot];
      good = math::finite(score);
      const int64_t cell = n * (in.count / in.per_cell) + anchor / in.per_cell;
      const Scalar* delta = in.deltas + cell * in.delta_stride + anchor % in.per_cell * 4;
      box =
          coder.decode(load_box(anchors + anchor * 4), Real(delta[0]), Real(delta[1]), Real(delta[2]), Real(delta[3]));
      box = clip_box(box, Real(image_sizes[n * 2]), Real(image_sizes[n * 2 + 1]));
      good = good && large_enough(box.width()) && large_enough(box.height());  // NaN is not
    }
    store_box(boxes + out * 4, box);
    scores[out] = score;
    valid[out] = good;
  }
  Cost cost(int64_t items) const { return {double(items) * 14 * sizeof(Real), double(items) * 80}; }
};

// One item = one image; lanes walk the survivors of all levels. The levels are sorted already, so a survivor's place in
// the merged order is its place in its own level plus the number of better ones in each other level.
template <class Real>
struct MergeLevels {
  static constexpr const char* name = "merge_levels";
  static constexpr Lanes lanes = Lanes::block;
  const Real* boxes;         // [N, L, K, 4]
  const Real* scores;        // [N, L, K]
  const int32_t* survivors;  // [N, L, most_in_level]
  const int32_t* counts;     // [N, L]
  Real* out_boxes;           // [N, most, 4]
  Real* out_scores;          // [N, most]
  int32_t* out_count;        // [N]
  int64_t levels, capacity, most_in_level, most;
  bool sigmoid;  // of the reported scores

  TS_HD int64_t source(int64_t segment, int64_t i) const {
    return segment * capacity + survivors[segment * most_in_level + i];
  }
  // How many of a level's survivors come before a score of another level.
  TS_HD int64_t before(int64_t segment, Real score, bool ties_first) const {
    int64_t low = 0, high = counts[segment];
    while (low < high) {
      const int64_t middle = (low + high) / 2;
      const Real other = scores[source(segment, middle)];
      if (other > score || (ties_first && other == score)) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }
  template <class Group>
  TS_HD void operator()(Group group, int64_t n) const {
    int64_t total = 0;
    for (int64_t l = 0; l < levels; ++l) {
      const int64_t mine = n * levels + l;
      total += counts[mine];
      for (int64_t i = group.rank(); i < counts[mine]; i += group.size()) {
        const int64_t from = source(mine, i);
        int64_t place = i;
        for (int64_t other = 0; other < levels && place < most; ++other) {
          if (other != l) place += before(n * levels + other, scores[from], other < l);
        }
        if (place >= most) continue;
        store_box(out_boxes + (n * most + place) * 4, load_box(boxes + from * 4));
        out_scores[n * most + place] = sigmoid ? math::sigmoid(scores[from]) : scores[from];
      }
    }
    total = math::min(total, most);
    for (int64_t i = total + group.rank(); i < most; i += group.size()) {
      store_box(out_boxes + (n * most + i) * 4, Box<Real>{});
      out_scores[n * most + i] = 0;
    }
    if (group.rank() == 0) out_count[n] = static_cast<int32_t>(total);
  }
  Cost cost(int64_t images) const {
    const double survivors_count = double(images) * double(levels * most_in_level);
    return {survivors_count * 12 * sizeof(Real), survivors_count * double(levels) * 50};
  }
};

}  // namespace tailseg
