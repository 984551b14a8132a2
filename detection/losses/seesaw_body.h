// Seesaw loss: the running class counts, then value and gradient row by row.
#pragma once

#include "detection/losses/softmax_family.h"

namespace tailseg {

// counts[c] += rows with label c; logs[c] = log(max(counts[c], 1)). One item = one class; lanes walk the rows.
template <class Real>
struct CountLabels {
  static constexpr const char* name = "count_labels";
  static constexpr Lanes lanes = Lanes::warp;
  const int32_t* labels;  // [R]
  Real* counts;           // [C + 1]
  Real* logs;             // [C + 1]
  int64_t rows;           // 0: counts stay as they are

  template <class Group>
  TS_HD void operator()(Group group, int64_t c) const {
    const int64_t seen = sum_over<int64_t>(group, rows, [&](int64_t r) { return int64_t(labels[r] == c); });
    if (group.rank() != 0) return;
    if (seen > 0) counts[c] += Real(seen);
    logs[c] = math::log(math::max(counts[c], Real(1)));
  }
  Cost cost(int64_t items) const { return {double(items) * 12 + double(rows) * 4, double(items) * double(rows)}; }
};

// scale[0] = used rows / foreground rows, which turns a mean over the first into one over the second; 1 without any.
// One item; lanes walk the rows.
template <class Real>
struct PositiveScale {
  static constexpr const char* name = "positive_scale";
  static constexpr Lanes lanes = Lanes::block;
  const int32_t* labels;  // [R]
  Real* scale;            // [1]
  int64_t rows, classes;

  template <class Group>
  TS_HD void operator()(Group group, int64_t) const {
    const int64_t used = sum_over<int64_t>(group, rows, [&](int64_t r) { return int64_t(labels[r] >= 0); });
    const int64_t objects =
        sum_over<int64_t>(group, rows, [&](int64_t r) { return int64_t(labels[r] >= 0 && labels[r] < classes); });
    if (group.rank() == 0) scale[0] = objects > 0 ? Real(used) / Real(objects) : Real(1);
  }
  Cost cost(int64_t) const { return {double(rows) * 4, double(rows) * 3}; }
};

// One item = one row [classes | foreground, background]; lanes walk the class logits (contiguous). Everything is added
// to logits as a logarithm, so that nothing overflows: log S_yj = p min(0, log n_j - log n_y) + q max(0, log t_j) with
// log t_j = z_j - base, base = m + log sum + max(log s_y, log eps).
template <class Scalar>
struct SeesawRow {
  static constexpr const char* name = "seesaw_row";
  static constexpr Lanes lanes = Lanes::block;
  using Real = ComputeType<Scalar>;
  ClassRows<Scalar> rows;
  const Real* logs;             // [C + 1] log n, or null: no mitigation
  Real p, q;                    // q 0: no compensation
  Real log_epsilon;             // -infinity for none
  int64_t softmax;              // logits under the softmax: C, or C + 1 with the background among them
  int64_t mitigated;            // those of them that have a count and so take part in mitigation
  bool objectness;              // the two logits behind them
  const Real* scale = nullptr;  // [1] of the class term, or null: 1

  TS_HD Real shifted(const Scalar* z, int64_t j, int64_t y, Real base) const {
    if (j == y) return Real(z[j]);
    const bool known = logs && j < mitigated && y < mitigated;
    const Real rarer = known ? p * math::min(Real(0), logs[j] - logs[y]) : Real(0);
    const Real above = Real(z[j]) - base;
    return Real(z[j]) + rarer + (q > Real(0) && above > Real(0) ? q * above : Real(0));
  }
  template <class Group>
  TS_HD void operator()(Group group, int64_t row) const {
    const int64_t label = rows.labels[row];
    if (label < 0) return rows.clear(group, row);
    const Scalar* z = rows.z(row);
    Scalar* g = rows.g(row);
    const int64_t n = softmax, y = math::min(label, n - 1);
    const bool object = label < rows.classes, counted = object || !objectness;
    const auto [top, sum] = softmax_over<Real>(group, n, [&](int64_t j) { return Real(z[j]); });
    const Real base = top + math::log(sum) + math::max(Real(z[y]) - top - math::log(sum), log_epsilon);
    const auto [peak, total] = softmax_over<Real>(group, n, [&](int64_t j) { return shifted(z, j, y, base); });
    const Real inverse = Real(1) / total, weight = scale ? scale[0] : Real(1);
    for (int64_t j = group.rank(); j < n; j += group.size()) {
      const Real share = exp_of_negative(shifted(z, j, y, base) - peak) * inverse;
      g[j] = Scalar(counted ? weight * (share - (j == y ? Real(1) : Real(0))) : Real(0));
    }
    if (group.rank() != 0) return;
    Real value = counted ? weight * (peak - Real(z[y]) + math::log(total)) : Real(0);
    bool hit = Real(z[y]) >= top;
    if (objectness) {
      const ValueAndSlope<Real> branch = objectness_at(Real(z[n]), Real(z[n + 1]), object);
      g[n] = Scalar(branch.slope);
      g[n + 1] = Scalar(-branch.slope);
      value += branch.value;
      hit = (Real(z[n]) > Real(z[n + 1])) == object && (!object || hit);
    }
    rows.finish(row, value, hit);
  }
  Cost cost(int64_t items) const { return rows.cost(items, 80); }
};

}  // namespace tailseg
