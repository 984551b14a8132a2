// GOL's class-relative activation: the Gaussian's distribution for frequent classes, Gumbel's for all others.
#pragma once

#include "detection/losses/activation_body.h"

namespace tailseg {

// Phi(z), the Gaussian's distribution, with density phi:
//   -log Phi(z), slope -phi(z) / Phi(z);   -log Phi(-z), slope phi(z) / Phi(-z).
// z is clamped to [-limit, limit], limits included; beyond them the slope is 0. The released code's detour through
// probability space changes nothing here: for limit 5, Phi (1 - Phi) stays above 2.8e-7.
template <class Real>
struct NormalLink {
  Real limit;

  TS_HD ValueAndSlope<Real> operator()(Real z, bool positive) const {
    const Real at = math::clamp(z, -limit, limit), own = normal_below(positive ? at : -at);
    const Real density = Real(0.39894228040143268) * math::exp(Real(-0.5) * at * at);
    ValueAndSlope<Real> out = {-math::log(own), (positive ? -density : density) / own};
    if (z < -limit || z > limit) out.slope = Real(0);
    if (!(z == z)) out = {z, z};  // NaN stays NaN
    return out;
  }
  TS_HD Real probability(Real z) const { return normal_below(z); }
};

// Column j is the Gaussian's where normal[j] is not 0, else Gumbel's, and so are columns from `classes` on.
template <class Real>
struct MixedLink {
  GumbelLink<Real> gumbel;
  NormalLink<Real> gauss;
  const Real* normal;  // [classes]
  int64_t classes;

  struct Column {
    GumbelLink<Real> gumbel;
    NormalLink<Real> gauss;
    bool is_normal;

    TS_HD ValueAndSlope<Real> operator()(Real z, bool positive) const {
      return is_normal ? gauss(z, positive) : gumbel(z, positive);
    }
    TS_HD Real probability(Real z) const { return is_normal ? gauss.probability(z) : gumbel.probability(z); }
  };
  TS_HD Column of_column(int64_t j) const { return {gumbel, gauss, j < classes && normal[j] != Real(0)}; }
  static constexpr double even = 0;  // asked only without a background column
};

}  // namespace tailseg
