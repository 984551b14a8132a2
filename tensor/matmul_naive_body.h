// The matrix product as a learner would write it. One item = one output element; lanes walk the inner axis.
#pragma once

#include "tensor/body.h"

namespace tailseg {

// Out is Scalar or its compute type.
template <class Scalar, class Out>
struct MatmulNaive {
  static constexpr const char* name = "matmul_naive";
  static constexpr Lanes lanes = Lanes::warp;
  const Scalar* a;                  // [m, k], or [k, m]: see the strides
  const Scalar* b;                  // [k, n], or [n, k]
  const ComputeType<Scalar>* bias;  // [n] or null
  Out* out;                         // [m, n]
  int64_t n, k;
  int64_t a_row, a_inner, b_inner, b_column;  // strides
  bool relu;

  template <class Group>
  TS_HD void operator()(Group group, int64_t item) const {
    using Real = ComputeType<Scalar>;
    const Scalar* left = a + item / n * a_row;
    const Scalar* right = b + item % n * b_column;
    Real total =
        sum_over<Real>(group, k, [&](int64_t i) { return Real(left[i * a_inner]) * Real(right[i * b_inner]); });
    if (bias) total += bias[item % n];
    if (relu) total = math::max(total, Real(0));
    if (group.rank() == 0) out[item] = Out(total);
  }
  Cost cost(int64_t items) const {
    const double m = static_cast<double>(items) / static_cast<double>(n);
    return {sizeof(Scalar) * (m * k + double(k) * n + double(items)), 2.0 * items * k};
  }
};

}  // namespace tailseg
