// Rows divided by a power of their length, and the gradient. With n = |x| and m = n^power + eps:
//   y = factor * x                         factor = scale / m
//   dx = factor * dy - pull * (dy . x) x   pull = scale * power * n^(power - 2) / m^2
// At n = 0 the second term is left out (METHODS 11.9: dx = scale * dy / eps, finite).
#pragma once

#include "tensor/body.h"

namespace tailseg {

template <class Real>
struct RowTerms {
  Real factor, pull;
};

template <class Real>
struct RowNormValues {
  Real scale, power, eps;

  TS_HD RowTerms<Real> at(Real squares) const {
    const Real n = math::sqrt(squares), raised = math::pow(n, power), m = raised + eps;
    const Real pull = n > Real(0) ? scale * power * (raised / n) / n / m / m : Real(0);
    return {scale / m, pull};
  }
};

// One item = one row; lanes walk the features (contiguous).
template <class Scalar>
struct NormalizeRows {
  static constexpr const char* name = "normalize_rows";
  static constexpr Lanes lanes = Lanes::warp;
  using Real = ComputeType<Scalar>;
  const Scalar* x;  // [R, F]
  Scalar* y;        // [R, F]
  Real* factor;     // [R]
  Real* pull;       // [R]
  int64_t features;
  RowNormValues<Real> norm;

  template <class Group>
  TS_HD void operator()(Group group, int64_t row) const {
    const Scalar* from = x + row * features;
    const Real squares = sum_over<Real>(group, features, [&](int64_t f) { return Real(from[f]) * Real(from[f]); });
    const RowTerms<Real> terms = norm.at(squares);
    for (int64_t f = group.rank(); f < features; f += group.size()) {
      y[row * features + f] = Scalar(terms.factor * Real(from[f]));
    }
    if (group.rank() != 0) return;
    factor[row] = terms.factor;
    pull[row] = terms.pull;
  }
  Cost cost(int64_t rows) const {
    return {2.0 * sizeof(Scalar) * double(rows * features), 3.0 * double(rows * features)};
  }
};

// One item = one row; lanes walk the features (contiguous).
template <class Scalar>
struct NormalizeRowsBackward {
  static constexpr const char* name = "normalize_rows_backward";
  static constexpr Lanes lanes = Lanes::warp;
  using Real = ComputeType<Scalar>;
  const Scalar* x;
  const Scalar* dy;
  const Real* factor;
  const Real* pull;
  Scalar* dx;
  int64_t features;

  template <class Group>
  TS_HD void operator()(Group group, int64_t row) const {
    const Scalar* from = x + row * features;
    const Scalar* seed = dy + row * features;
    const Real along = sum_over<Real>(group, features, [&](int64_t f) { return Real(seed[f]) * Real(from[f]); });
    const Real back = pull[row] * along;
    for (int64_t f = group.rank(); f < features; f += group.size()) {
      dx[row * features + f] = Scalar(factor[row] * Real(seed[f]) - back * Real(from[f]));
    }
  }
  Cost cost(int64_t rows) const {
    return {3.0 * sizeof(Scalar) * double(rows * features), 5.0 * double(rows * features)};
  }
};

}  // namespace tailseg
