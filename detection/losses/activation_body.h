// The two activations that turn one logit into one probability, with the value and slope of their binary
// cross-entropy, and the loop over a row that the losses with one probability a class share.
#pragma once

#include "detection/losses/class_rows.h"

namespace tailseg {

// sigmoid(z) = 1 / (1 + e^-z).
struct SigmoidLink {
  template <class Real>
  TS_HD ValueAndSlope<Real> operator()(Real z, bool positive) const {
    return binary_cross_entropy_at(z, positive ? Real(1) : Real(0));
  }
  template <class Real>
  TS_HD Real probability(Real z) const {
    return math::sigmoid(z);
  }
  static constexpr double even = 0;  // where the probability is a half
};

// eta(z) = exp(-e^-z), the Gumbel distribution (METHODS 1.12). With t = e^-z:
//   -log eta = t, slope -t;   -log(1 - eta) = -log(-expm1(-t)), slope t / expm1(t).
// z is clamped to [low, high], limits included; beyond them the slope is 0. `collapsed` gives the slopes of the
// released code, which goes through a probability-space cross-entropy: values end at 100, and eta (1 - eta) in the
// denominator is at least 1e-12, which collapses the positive slope below z = -3.3.
template <class Real>
struct GumbelLink {
  Real low, high;
  bool collapsed;

  TS_HD ValueAndSlope<Real> operator()(Real z, bool positive) const {
    const Real at = math::clamp(z, low, high);
    const Real t = math::exp(-at), eta = math::exp(-t);
    const Real rest = t < Real(0.69314718056) ? -math::expm1(-t) : Real(1) - eta;  // 1 - eta
    ValueAndSlope<Real> out;
    if (positive) {
      out = {t, -t};
    } else {
      out.value = t < Real(0.69314718056) ? -math::log(rest) : -math::log1p(-eta);
      out.slope = t < Real(40) ? t / math::expm1(t) : t * eta;
    }
    if (collapsed) {
      out.value = math::min(out.value, Real(100));
      const Real product = eta * rest;
      if (product < Real(1e-12)) out.slope = (positive ? -rest : eta) * eta * t / Real(1e-12);
    }
    if (z < low || z > high) out.slope = Real(0);
    if (!(z == z)) out = {z, z};  // NaN stays NaN
    return out;
  }
  template <class R>
  TS_HD R probability(R z) const {
    return math::exp(-math::exp(-z));
  }
  static constexpr double even = 0.36651292058166435;  // -log log 2
};

// A link may differ from column to column: then it has of_column(j) (gumbel_body.h).
template <class Link>
TS_HD inline auto link_at(const Link& link, int64_t j) {
  if constexpr (requires { link.of_column(j); }) {
    return link.of_column(j);
  } else {
    return link;
  }
}

// One row of a loss with one probability a column: lanes walk the columns (contiguous).
//   value = sum_j weight(j, y_j) link(z_j, y_j),   y_j = [j = label];  the gradient likewise.
// A background row has no positive column when there are only C of them. Columns from `used` on have no part in the
// loss. Hit: the label's logit is on top, or, without a background column, every probability of a background row is at
// most a half.
template <class Group, class Scalar, class Link, class Weight>
TS_HD inline void binary_row(Group group, const ClassRows<Scalar>& rows, int64_t row, const Link& link,
                             const Weight& weight, int64_t used) {
  using Real = ComputeType<Scalar>;
  const int64_t label = rows.labels[row];
  if (label < 0) return rows.clear(group, row);
  const Scalar* z = rows.z(row);
  Scalar* g = rows.g(row);
  const Real value = sum_over<Real>(group, used, [&](int64_t j) {
    const bool positive = j == label;
    const ValueAndSlope<Real> at = link_at(link, j)(Real(z[j]), positive);
    const Real w = weight(j, positive);
    g[j] = Scalar(w * at.slope);
    return w * at.value;
  });
  const Real lowest = -std::numeric_limits<Real>::infinity();
  for (int64_t j = used + group.rank(); j < rows.columns; j += group.size()) g[j] = Scalar(Real(0));
  const Real top = max_over<Real>(group, used, lowest, [&](int64_t j) { return Real(z[j]); });
  if (group.rank() != 0) return;
  rows.finish(row, value, label < used ? Real(z[label]) >= top : top <= Real(Link::even));
}

template <class Group, class Scalar, class Link, class Weight>
TS_HD inline void binary_row(Group group, const ClassRows<Scalar>& rows, int64_t row, const Link& link,
                             const Weight& weight) {
  binary_row(group, rows, row, link, weight, rows.columns);
}

// [R, columns] logits -> [R, C] probabilities of the first C columns. One item = one row; lanes walk the classes.
template <class Scalar, class Link>
struct LinkScores {
  static constexpr const char* name = "link_scores";
  static constexpr Lanes lanes = Lanes::warp;
  using Real = ComputeType<Scalar>;
  const Scalar* logits;  // [R, columns]
  Real* scores;          // [R, C]
  int64_t columns, classes;
  Link link;

  template <class Group>
  TS_HD void operator()(Group group, int64_t row) const {
    for (int64_t c = group.rank(); c < classes; c += group.size()) {
      scores[row * classes + c] = link_at(link, c).probability(Real(logits[row * columns + c]));
    }
  }
  Cost cost(int64_t rows) const {
    return {(sizeof(Scalar) + sizeof(Real)) * double(rows * classes), 30.0 * double(rows * classes)};
  }
};

}  // namespace tailseg
