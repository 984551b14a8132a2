// One item = one row of cells of one level (and image); lanes walk the row's anchors, which are contiguous.
#pragma once

#include "detection/anchors.h"
#include "detection/box.h"

namespace tailseg {

struct LevelTable {
  AnchorLevel level[kMaxLevels];
  int32_t levels;

  TS_HD const AnchorLevel& of_row(int64_t row) const {
    int32_t i = levels - 1;
    while (i > 0 && row < level[i].first_row) --i;
    return level[i];
  }
};

template <class Real>
struct PlaceAnchors {
  static constexpr const char* name = "place_anchors";
  static constexpr Lanes lanes = Lanes::warp;
  const Real* base;  // [levels, most, 4]
  Real* boxes;       // [A, 4]
  int64_t most;      // base anchors of the level that has most
  int64_t anchors;
  LevelTable table;

  template <class Group>
  TS_HD void operator()(Group group, int64_t row) const {
    const AnchorLevel& level = table.of_row(row);
    const int64_t y = row - level.first_row, in_row = level.width * level.per_cell;
    const Real* corners = base + (&level - table.level) * most * 4;
    Real* out = boxes + (level.first + y * in_row) * 4;
    const Real shift_y = Real(y * level.stride_y);
    for (int64_t i = group.rank(); i < in_row; i += group.size()) {
      const Real shift_x = Real(i / level.per_cell * level.stride_x);
      const Box<Real> around = load_box(corners + i % level.per_cell * 4);
      store_box(out + i * 4, {shift_x + around.x1, shift_y + around.y1, shift_x + around.x2, shift_y + around.y2});
    }
  }
  Cost cost(int64_t) const { return {4.0 * sizeof(Real) * double(anchors), 6.0 * double(anchors)}; }
};

template <class Real>
struct JudgeAnchors {
  static constexpr const char* name = "judge_anchors";
  static constexpr Lanes lanes = Lanes::warp;
  const Real* boxes;           // [A, 4]
  const int32_t* own_sizes;    // [N, 2] or null
  const int32_t* image_sizes;  // [N, 2] or null: any border is allowed
  uint8_t* valid;              // [N, A]
  int64_t anchors, rows;       // in one image
  Real border;
  LevelTable table;

  template <class Group>
  TS_HD void operator()(Group group, int64_t item) const {
    const int64_t n = item / rows;
    const AnchorLevel& level = table.of_row(item % rows);
    const int64_t y = item % rows - level.first_row, in_row = level.width * level.per_cell;
    const int64_t first = level.first + y * in_row;
    int64_t cells = level.width;
    if (own_sizes) {
      const int64_t inside_y = (own_sizes[n * 2] + level.stride_y - 1) / level.stride_y;
      const int64_t inside_x = (own_sizes[n * 2 + 1] + level.stride_x - 1) / level.stride_x;
      cells = y < inside_y ? math::min(inside_x, level.width) : 0;
    }
    for (int64_t i = group.rank(); i < in_row; i += group.size()) {
      bool good = i < cells * level.per_cell;
      if (image_sizes) {
        const Box<Real> box = load_box(boxes + (first + i) * 4);
        good = good && box.x1 >= -border && box.y1 >= -border && box.x2 < Real(image_sizes[n * 2 + 1]) + border &&
               box.y2 < Real(image_sizes[n * 2]) + border;
      }
      valid[n * anchors + first + i] = good;
    }
  }
  Cost cost(int64_t items) const {
    const double total = double(items) / double(rows) * double(anchors);
    return {total * (1 + (image_sizes ? 4 * sizeof(Real) : 0)), total * 6};
  }
};

}  // namespace tailseg
