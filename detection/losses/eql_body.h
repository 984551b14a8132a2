// Value and gradient of the equalization loss, row by row, over sigmoids and over a softmax.
#pragma once

#include "detection/losses/activation_body.h"

namespace tailseg {

// One item = one row; lanes walk the C columns (contiguous). A column of the tail is left out where it would be a
// negative of a foreground row.
template <class Scalar, class Link>
struct EqlRow {
  static constexpr const char* name = "eql_row";
  static constexpr Lanes lanes = Lanes::block;
  using Real = ComputeType<Scalar>;
  ClassRows<Scalar> rows;
  const Real* tail;  // [C] 1 or 0
  Link link;

  template <class Group>
  TS_HD void operator()(Group group, int64_t row) const {
    const Real excited = rows.labels[row] < rows.classes ? Real(1) : Real(0);
    binary_row(group, rows, row, link,
               [&](int64_t j, bool positive) { return positive ? Real(1) : Real(1) - excited * tail[j]; });
  }
  Cost cost(int64_t items) const { return rows.cost(items, 58); }
};

// One item = one row; lanes walk the C + 1 columns (contiguous). A tail column that was drawn leaves the denominator;
// with m and S over the columns that stay, value = m - z_y + log S, gradient e^(z_j - m) / S - [j = y] for those.
template <class Scalar>
struct EqlSoftmaxRow {
  static constexpr const char* name = "eql_softmax_row";
  static constexpr Lanes lanes = Lanes::block;
  using Real = ComputeType<Scalar>;
  ClassRows<Scalar> rows;
  const Real* tail;    // [C] 1 or 0
  const float* draws;  // [R, C] in [0, 1)
  float gamma;

  template <class Group>
  TS_HD void operator()(Group group, int64_t row) const {
    const int64_t label = rows.labels[row], n = rows.columns, y = math::min(label, n - 1);
    if (label < 0) return rows.clear(group, row);
    const Scalar* z = rows.z(row);
    Scalar* g = rows.g(row);
    const float* u = draws + row * rows.classes;
    const auto stays = [&](int64_t j) { return j == y || j == rows.classes || !(tail[j] > Real(0) && u[j] < gamma); };
    const Real lowest = -std::numeric_limits<Real>::infinity();
    const Real top = max_over<Real>(group, n, lowest, [&](int64_t j) { return stays(j) ? Real(z[j]) : lowest; });
    const Real sum =
        sum_over<Real>(group, n, [&](int64_t j) { return stays(j) ? exp_of_negative(Real(z[j]) - top) : Real(0); });
    const Real scale = Real(1) / sum;
    for (int64_t j = group.rank(); j < n; j += group.size()) {
      const Real share = stays(j) ? exp_of_negative(Real(z[j]) - top) * scale : Real(0);
      g[j] = Scalar(share - (j == y ? Real(1) : Real(0)));
    }
    const Real highest = max_over<Real>(group, n, lowest, [&](int64_t j) { return Real(z[j]); });
    if (group.rank() == 0) rows.finish(row, top - Real(z[y]) + math::log(sum), Real(z[y]) >= highest);
  }
  Cost cost(int64_t items) const { return rows.cost(items, 50); }
};

}  // namespace tailseg
