// Value and gradient of the focal loss over a softmax, row by row, and over sigmoids, logit by logit.
#pragma once

#include "detection/losses/activation_body.h"

namespace tailseg {

// One item = one row of logits; lanes walk the columns (contiguous). With q = 1 - p, summed over the other columns and
// so exact where p is close to 1:
//   value = -q^gamma log p,   d value / d z_j = (gamma p q^gamma (log p) / q - q^gamma) ([j = y] - softmax_j).
// With a weight w of the label's class the same of CE = -w log p, p = e^-CE and q = 1 - p, and the slope times w.
template <class Scalar>
struct SoftmaxFocalRow {
  static constexpr const char* name = "softmax_focal_row";
  static constexpr Lanes lanes = Lanes::block;
  using Real = ComputeType<Scalar>;
  ClassRows<Scalar> rows;
  Real gamma;
  const Real* weights;  // [columns], or null: all 1

  template <class Group>
  TS_HD void operator()(Group group, int64_t row) const {
    const int64_t label = rows.labels[row];
    if (label < 0) return rows.clear(group, row);
    const Scalar* z = rows.z(row);
    Scalar* g = rows.g(row);
    const int64_t n = rows.columns, y = math::min(label, n - 1);
    const Real lowest = -std::numeric_limits<Real>::infinity();
    const Real top = max_over<Real>(group, n, lowest, [&](int64_t j) { return Real(z[j]); });
    const Real others =
        sum_over<Real>(group, n, [&](int64_t j) { return j == y ? Real(0) : exp_of_negative(Real(z[j]) - top); });
    const Real sum = others + exp_of_negative(Real(z[y]) - top);
    const Real miss = others / sum;  // 1 - softmax_y
    const Real log_softmax = miss < Real(0.5) ? math::log1p(-miss) : Real(z[y]) - top - math::log(sum);
    const Real w = weights ? weights[y] : Real(1), log_p = w * log_softmax;
    const Real q = weights ? -math::expm1(log_p) : miss, p = Real(1) - q;
    const Real power = math::pow(q, gamma);
    const Real factor = w * (gamma * p * power * (q > Real(1e-30) ? log_p / q : Real(-1)) - power);
    for (int64_t j = group.rank(); j < n; j += group.size()) {
      g[j] = Scalar(factor * (j == y ? miss : -exp_of_negative(Real(z[j]) - top) / sum));
    }
    if (group.rank() == 0) rows.finish(row, -power * log_p, Real(z[y]) >= top);
  }
  Cost cost(int64_t items) const { return rows.cost(items, 60); }
};

// One logit. With u = z where positive, else -z, q = sigmoid(-u), by e^-|u| so that a small one keeps its digits, and
// CE = -log(1 - q):
//   value = a q^gamma CE,   d value / d u = -a q^gamma (gamma (1 - q) CE + q).
template <class Real>
struct FocalLink {
  Real gamma, alpha;

  TS_HD ValueAndSlope<Real> operator()(Real z, bool positive) const {
    const Real u = positive ? z : -z, a = positive ? alpha : Real(1) - alpha;
    const Real e = exp_of_negative(-math::abs(u)), q = (u >= Real(0) ? e : Real(1)) / (Real(1) + e);
    const Real value = math::max(-u, Real(0)) + log1p_of_unit(e);
    const Real power = a * (gamma == Real(2) ? q * q : math::pow(q, gamma));
    const Real slope = -power * (gamma * (Real(1) - q) * value + q);
    return {power * value, positive ? slope : -slope};
  }
  static constexpr double even = 0;
};

// One item = one row; lanes walk its columns (contiguous).
template <class Scalar>
struct SigmoidFocalRow {
  static constexpr const char* name = "sigmoid_focal_row";
  static constexpr Lanes lanes = Lanes::block;
  ClassRows<Scalar> rows;
  FocalLink<ComputeType<Scalar>> link;

  template <class Group>
  TS_HD void operator()(Group group, int64_t row) const {
    binary_row(group, rows, row, link, [](int64_t, bool) { return ComputeType<Scalar>(1); });
  }
  Cost cost(int64_t items) const { return rows.cost(items, 65); }
};

}  // namespace tailseg
