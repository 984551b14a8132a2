// From the RoIs of one stage of a cascade to the proposals of the next.
#pragma once

#include "detection/box_coder_body.h"

namespace tailseg {

// One item = one RoI that the head saw (thread): its box, moved and clipped, and whether it goes on.
template <class Real>
struct RefineRoi {
  static constexpr const char* name = "refine_roi";
  static constexpr Lanes lanes = Lanes::one;
  const int32_t* rows;    // [K] into [N * S]
  const Real* deltas;     // [K, 4]
  const Real* boxes;      // [N * S, 4]
  const int32_t* label;   // [N * S], -1 unused
  const int32_t* source;  // [N * S] row of the candidates
  const int32_t* sizes;   // [N, 2] height, width
  // Candidates [begin, end) of an image were ground truth: the first `truth_count`, or those behind `proposal_count`.
  const int32_t* truth_count;     // [N], or null: none at the front
  const int32_t* proposal_count;  // [N], or null: none at the end
  Real* moved;                    // [N * S, 4]
  int32_t* kept;                  // [N * S], 0 before
  int64_t per_image;
  BoxCoder<Real> coder;
  bool drop_empty;

  template <class Group>
  TS_HD void operator()(Group group, int64_t item) const {
    if (group.rank() != 0) return;
    const int64_t row = rows[item], n = row / per_image;
    if (label[row] < 0) return;
    const Real* d = deltas + item * 4;
    const Box<Real> box = clip_box(coder.decode(load_box(boxes + row * 4), d[0], d[1], d[2], d[3]), Real(sizes[n * 2]),
                                   Real(sizes[n * 2 + 1]));
    const bool was_truth =
        (truth_count && source[row] < truth_count[n]) || (proposal_count && source[row] >= proposal_count[n]);
    const bool empty = !(box.width() > Real(0) && box.height() > Real(0));  // also with NaN
    store_box(moved + row * 4, box);
    kept[row] = !was_truth && !(drop_empty && empty);
  }
  Cost cost(int64_t rows_seen) const { return {12.0 * sizeof(Real) * double(rows_seen), 70.0 * double(rows_seen)}; }
};

// Closes the gaps. One item = one row of [N * S]; lanes walk the rows before it.
template <class Real>
struct CompactBoxes {
  static constexpr const char* name = "compact_boxes";
  static constexpr Lanes lanes = Lanes::warp;
  const Real* moved;    // [N * S, 4]
  const int32_t* kept;  // [N * S] 0 or 1
  Real* boxes;          // [N * S, 4], 0 before
  int32_t* count;       // [N]
  int64_t per_image;

  template <class Group>
  TS_HD void operator()(Group group, int64_t row) const {
    const int64_t n = row / per_image, i = row % per_image;
    const int32_t* mine = kept + n * per_image;
    if (!mine[i] && i + 1 < per_image) return;
    const int64_t before = sum_over<int64_t>(group, i, [&](int64_t j) { return int64_t(mine[j]); });
    if (group.rank() != 0) return;
    if (mine[i]) store_box(boxes + (n * per_image + before) * 4, load_box(moved + row * 4));
    if (i + 1 == per_image) count[n] = static_cast<int32_t>(before + mine[i]);
  }
  Cost cost(int64_t rows) const {
    return {double(rows) * (8.0 * sizeof(Real) + 4), double(rows) * double(per_image) / 2};
  }
};

}  // namespace tailseg
