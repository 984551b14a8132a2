// DropLoss: the share of tail classes among the foreground, then value and gradient row by row.
#pragma once

#include "detection/losses/activation_body.h"

namespace tailseg {

// share[0] = foreground rows of tail classes / foreground rows, 1 without any. One item; lanes walk the rows.
template <class Real>
struct TailShare {
  static constexpr const char* name = "tail_share";
  static constexpr Lanes lanes = Lanes::block;
  const int32_t* labels;  // [R]
  const Real* tail;       // [C]
  Real* share;            // [1]
  int64_t rows, classes;

  template <class Group>
  TS_HD void operator()(Group group, int64_t) const {
    const auto is_object = [&](int64_t r) { return labels[r] >= 0 && labels[r] < classes; };
    const int64_t objects = sum_over<int64_t>(group, rows, [&](int64_t r) { return int64_t(is_object(r)); });
    const int64_t tails =
        sum_over<int64_t>(group, rows, [&](int64_t r) { return int64_t(is_object(r) && tail[labels[r]] > Real(0)); });
    if (group.rank() == 0) share[0] = objects > 0 ? Real(tails) / Real(objects) : Real(1);
  }
  Cost cost(int64_t) const { return {double(rows) * 8, double(rows) * 4}; }
};

// One item = one row; lanes walk the C columns (contiguous).
template <class Scalar, class Link>
struct DropLossRow {
  static constexpr const char* name = "drop_loss_row";
  static constexpr Lanes lanes = Lanes::block;
  using Real = ComputeType<Scalar>;
  ClassRows<Scalar> rows;
  const Real* tail;    // [C] 1 or 0
  const Real* share;   // [1]
  const float* draws;  // [R, C] in [0, 1)
  Link link;

  template <class Group>
  TS_HD void operator()(Group group, int64_t row) const {
    const bool object = rows.labels[row] < rows.classes;
    const float* u = draws + row * rows.classes;
    const Real keep = share[0];
    binary_row(group, rows, row, link, [&](int64_t j, bool positive) {
      const bool drop = tail[j] > Real(0) && (object ? !positive : Real(u[j]) > keep);
      return drop ? Real(0) : Real(1);
    });
  }
  Cost cost(int64_t items) const {
    Cost cost = rows.cost(items, 60);
    cost.bytes += double(items) * double(rows.classes) * 4;
    return cost;
  }
};

}  // namespace tailseg
