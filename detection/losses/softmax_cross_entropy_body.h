// Value and gradient of softmax cross-entropy, row by row.
#pragma once

#include "detection/losses/softmax_family.h"

namespace tailseg {

// One item = one row of logits; lanes walk the classes (contiguous). With m the largest logit and S = sum e^(z_j - m):
//   value = m - z_y + log S,   d value / d z_j = e^(z_j - m) / S - [j = y].
template <class Scalar>
struct SoftmaxCrossEntropyRow {
  static constexpr const char* name = "softmax_cross_entropy_row";
  static constexpr Lanes lanes = Lanes::block;
  using Real = ComputeType<Scalar>;
  ClassRows<Scalar> rows;  // columns = classes + 1

  template <class Group>
  TS_HD void operator()(Group group, int64_t row) const {
    const int64_t label = rows.labels[row], n = rows.columns, y = math::min(label, n - 1);
    if (label < 0) return rows.clear(group, row);
    const Scalar* z = rows.z(row);
    Scalar* g = rows.g(row);
    const auto [top, sum] = softmax_over<Real>(group, n, [&](int64_t j) { return Real(z[j]); });
    const Real scale = Real(1) / sum;
    for (int64_t j = group.rank(); j < n; j += group.size()) {
      g[j] = Scalar(exp_of_negative(Real(z[j]) - top) * scale - (j == y ? Real(1) : Real(0)));
    }
    if (group.rank() == 0) rows.finish(row, top - Real(z[y]) + math::log(sum), Real(z[y]) >= top);
  }
  Cost cost(int64_t items) const { return rows.cost(items, 45); }
};

// With the objectness branch. One item = one row [classes | foreground, background]; lanes walk the classes. A
// background row has no class term; with m and S over the C class logits alone,
//   value = [y < C] (m - z_y + log S) + objectness,   d value / d z_j = [y < C] (e^(z_j - m) / S - [j = y]).
template <class Scalar>
struct SoftmaxObjectnessRow {
  static constexpr const char* name = "softmax_objectness_row";
  static constexpr Lanes lanes = Lanes::block;
  using Real = ComputeType<Scalar>;
  ClassRows<Scalar> rows;  // columns = classes + 2; a hit: foreground with its class on top and above background, or
                           // background above it

  template <class Group>
  TS_HD void operator()(Group group, int64_t row) const {
    const int64_t label = rows.labels[row], n = rows.classes;
    if (label < 0) return rows.clear(group, row);
    const Scalar* z = rows.z(row);
    Scalar* g = rows.g(row);
    const bool object = label < n;
    const auto [top, sum] = softmax_over<Real>(group, n, [&](int64_t j) { return Real(z[j]); });
    const Real scale = object ? Real(1) / sum : Real(0);
    for (int64_t j = group.rank(); j < n; j += group.size()) {
      g[j] = Scalar(exp_of_negative(Real(z[j]) - top) * scale - (j == label ? Real(1) : Real(0)));
    }
    if (group.rank() != 0) return;
    const ValueAndSlope<Real> branch = objectness_at(Real(z[n]), Real(z[n + 1]), object);
    g[n] = Scalar(branch.slope);
    g[n + 1] = Scalar(-branch.slope);
    const Real value = object ? branch.value + (top - Real(z[label]) + math::log(sum)) : branch.value;
    rows.finish(row, value, (Real(z[n]) > Real(z[n + 1])) == object && (!object || Real(z[label]) >= top));
  }
  Cost cost(int64_t items) const { return rows.cost(items, 45); }
};

}  // namespace tailseg
