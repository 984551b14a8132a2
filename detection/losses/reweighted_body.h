// Value and gradient of softmax cross-entropy weighed by class, row by row.
#pragma once

#include "detection/losses/softmax_family.h"

namespace tailseg {

// One item = one row of logits; lanes walk the columns (contiguous). With m the largest logit, S = sum e^(z_j - m):
//   value = w_y (m - z_y + log S),   d value / d z_j = w_y (e^(z_j - m) / S - [j = y]).
template <class Scalar>
struct ReweightedRow {
  static constexpr const char* name = "reweighted_row";
  static constexpr Lanes lanes = Lanes::block;
  using Real = ComputeType<Scalar>;
  ClassRows<Scalar> rows;
  const Real* weights;  // [C + 1], of each label
  Real* row_weights;    // [R] w_y, 0 for unused rows

  template <class Group>
  TS_HD void operator()(Group group, int64_t row) const {
    const int64_t label = rows.labels[row];
    if (label < 0) {
      if (group.rank() == 0) row_weights[row] = Real(0);
      return rows.clear(group, row);
    }
    const Scalar* z = rows.z(row);
    Scalar* g = rows.g(row);
    const int64_t n = rows.columns, y = math::min(label, n - 1);
    const Real w = weights[y];
    const auto [top, sum] = softmax_over<Real>(group, n, [&](int64_t j) { return Real(z[j]); });
    const Real scale = Real(1) / sum;
    for (int64_t j = group.rank(); j < n; j += group.size()) {
      g[j] = Scalar(w * (exp_of_negative(Real(z[j]) - top) * scale - (j == y ? Real(1) : Real(0))));
    }
    if (group.rank() != 0) return;
    row_weights[row] = w;
    rows.finish(row, w * (top - Real(z[y]) + math::log(sum)), Real(z[y]) >= top);
  }
  Cost cost(int64_t items) const { return rows.cost(items, 46); }
};

}  // namespace tailseg
