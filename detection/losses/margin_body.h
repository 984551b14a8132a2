// Value and gradient of softmax cross-entropy with margins and deferred weights, row by row.
#pragma once

#include "detection/losses/class_rows.h"

namespace tailseg {

// One item = one row of logits; lanes walk the columns (contiguous). With x_j = z_j - [j = y] margin_y, m the largest
// x and S = sum e^(scale (x_j - m)):
//   value = w (scale (m - x_y) + log S),   d value / d z_j = w scale (e^(scale (x_j - m)) / S - [j = y]).
// Differences come before the factor, so that it does not scale their rounding.
template <class Scalar>
struct MarginRow {
  static constexpr const char* name = "margin_row";
  static constexpr Lanes lanes = Lanes::block;
  using Real = ComputeType<Scalar>;
  ClassRows<Scalar> rows;
  const Real* margins;  // [C + 1]
  const Real* weights;  // [C + 1], in use from step `start` on
  const Real* steps;    // [1] steps before this one, or null: weights 1
  Real* row_weights;    // [R]
  Real scale, start;

  template <class Group>
  TS_HD void operator()(Group group, int64_t row) const {
    const int64_t label = rows.labels[row], n = rows.columns, y = math::min(label, n - 1);
    if (label < 0) {
      if (group.rank() == 0) row_weights[row] = Real(0);
      return rows.clear(group, row);
    }
    const Scalar* z = rows.z(row);
    Scalar* g = rows.g(row);
    const Real margin = margins[y], w = steps && steps[0] >= start ? weights[y] : Real(1);
    const auto x = [&](int64_t j) { return Real(z[j]) - (j == y ? margin : Real(0)); };
    const Real lowest = -std::numeric_limits<Real>::infinity();
    const Real top = max_over<Real>(group, n, lowest, x);
    const Real sum = sum_over<Real>(group, n, [&](int64_t j) { return exp_of_negative(scale * (x(j) - top)); });
    for (int64_t j = group.rank(); j < n; j += group.size()) {
      g[j] = Scalar(w * scale * (exp_of_negative(scale * (x(j) - top)) / sum - (j == y ? Real(1) : Real(0))));
    }
    const Real highest = max_over<Real>(group, n, lowest, [&](int64_t j) { return Real(z[j]); });
    if (group.rank() != 0) return;
    row_weights[row] = w;
    rows.finish(row, w * (scale * (top - x(y)) + math::log(sum)), Real(z[y]) >= highest);
  }
  Cost cost(int64_t items) const { return rows.cost(items, 52); }
};

// steps[0] += 1. One item.
template <class Real>
struct CountStep {
  static constexpr const char* name = "count_step";
  static constexpr Lanes lanes = Lanes::one;
  Real* steps;  // [1]

  template <class Group>
  TS_HD void operator()(Group group, int64_t) const {
    if (group.rank() == 0) steps[0] += Real(1);
  }
  Cost cost(int64_t) const { return {2.0 * sizeof(Real), 1}; }
};

}  // namespace tailseg
