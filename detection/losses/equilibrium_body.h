// LOCE's equilibrium loss: scores of the labels, running mean of each class, value and gradient row by row.
#pragma once

#include "detection/losses/softmax_family.h"

namespace tailseg {

// scores[r] = softmax(z)_y of foreground rows, 0 of others. One item = one row; lanes walk the columns (contiguous).
template <class Scalar>
struct LabelScores {
  static constexpr const char* name = "label_scores";
  static constexpr Lanes lanes = Lanes::block;
  using Real = ComputeType<Scalar>;
  const Scalar* logits;   // [R, C + 1]
  const int32_t* labels;  // [R]
  Real* scores;           // [R]
  int64_t classes;

  template <class Group>
  TS_HD void operator()(Group group, int64_t row) const {
    const Scalar* z = logits + row * (classes + 1);
    const int64_t label = labels[row];
    Real score = Real(0);
    if (label >= 0 && label < classes) {
      const auto [top, sum] = softmax_over<Real>(group, classes + 1, [&](int64_t j) { return Real(z[j]); });
      score = exp_of_negative(Real(z[label]) - top) / sum;
    }
    if (group.rank() == 0) scores[row] = score;
  }
  Cost cost(int64_t rows) const {
    const double elements = double(rows) * double(classes + 1);
    return {sizeof(Scalar) * elements, 30.0 * elements};
  }
};

// One item = one class, or the background, whose mean stays; lanes walk the rows. An object is observed at its first
// row: the mean over its rows.
template <class Real>
struct RunningScores {
  static constexpr const char* name = "running_scores";
  static constexpr Lanes lanes = Lanes::block;
  const int32_t* labels;   // [R]
  const int32_t* objects;  // [R], or null: every row its own
  const Real* scores;      // [R] of each row's label
  Real* mean;              // [C + 1] the state
  Real* logs;              // [C + 1] its logarithm
  int64_t rows, classes;
  Real momentum;

  // The mean score of the object of row r, or -1 where an earlier row has counted it.
  TS_HD Real observation(int64_t r) const {
    if (!objects) return scores[r];
    Real sum = Real(0);
    int64_t count = 0;
    for (int64_t k = 0; k < rows; ++k) {
      if (objects[k] != objects[r] || labels[k] != labels[r]) continue;
      if (k < r) return Real(-1);
      sum += scores[k];
      ++count;
    }
    return sum / Real(count);
  }
  template <class Group>
  TS_HD void operator()(Group group, int64_t c) const {
    Real sum = Real(0), count = Real(0);
    if (c < classes) {
      for (int64_t r = group.rank(); r < rows; r += group.size()) {
        if (labels[r] != c) continue;
        const Real seen = observation(r);
        if (seen < Real(0)) continue;
        sum += seen;
        count += Real(1);
      }
    }
    sum = group.sum(sum);
    count = group.sum(count);
    if (group.rank() != 0) return;
    if (count > Real(0)) {
      const Real old = math::pow(momentum, count);
      mean[c] = old * mean[c] + (Real(1) - old) * sum / count;
    }
    logs[c] = math::log(math::max(mean[c], Real(1e-30)));  // a mean that underflows stays usable
  }
  Cost cost(int64_t items) const { return {double(rows) * 12, double(items) * double(rows)}; }
};

// Cross-entropy on z + log s. One item = one row; lanes walk the C + 1 columns (contiguous).
template <class Scalar>
struct EquilibriumRow {
  static constexpr const char* name = "equilibrium_row";
  static constexpr Lanes lanes = Lanes::block;
  using Real = ComputeType<Scalar>;
  ClassRows<Scalar> rows;
  const Real* logs;  // [C + 1]

  template <class Group>
  TS_HD void operator()(Group group, int64_t row) const {
    const int64_t label = rows.labels[row], n = rows.columns, y = math::min(label, n - 1);
    if (label < 0) return rows.clear(group, row);
    const Scalar* z = rows.z(row);
    Scalar* g = rows.g(row);
    const auto x = [&](int64_t j) { return Real(z[j]) + logs[j]; };
    const auto [top, sum] = softmax_over<Real>(group, n, x);
    for (int64_t j = group.rank(); j < n; j += group.size()) {
      g[j] = Scalar(exp_of_negative(x(j) - top) / sum - (j == y ? Real(1) : Real(0)));
    }
    const Real highest =
        max_over<Real>(group, n, -std::numeric_limits<Real>::infinity(), [&](int64_t j) { return Real(z[j]); });
    if (group.rank() == 0) rows.finish(row, top - x(y) + math::log(sum), Real(z[y]) >= highest);
  }
  Cost cost(int64_t items) const { return rows.cost(items, 50); }
};

}  // namespace tailseg
