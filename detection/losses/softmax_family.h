// What the losses over a softmax share inside their kernels: the softmax's denominator, and the objectness branch.
#pragma once

#include "detection/losses/class_rows.h"

namespace tailseg {

// Of n numbers x(j): the largest, m, and S = sum_j e^(x(j) - m), so that softmax_j = e^(x(j) - m) / S.
template <class Real>
struct Softmax {
  Real top, sum;
};

template <class Real, class Group, class F>
TS_HD inline Softmax<Real> softmax_over(Group group, int64_t n, const F& x) {
  const Real top = max_over<Real>(group, n, -std::numeric_limits<Real>::infinity(), x);
  return {top, sum_over<Real>(group, n, [&](int64_t j) { return exp_of_negative(x(j) - top); })};
}

// The objectness branch (METHODS 2.3): two more logits behind the C classes, foreground then background, and a softmax
// cross-entropy over the two. With d = foreground - background it is the binary cross-entropy of d:
//   value = -log sigmoid(+-d),   slope = d value / d foreground = -d value / d background.
template <class Real>
TS_HD inline ValueAndSlope<Real> objectness_at(Real foreground, Real background, bool is_foreground) {
  return binary_cross_entropy_at(foreground - background, is_foreground ? Real(1) : Real(0));
}

}  // namespace tailseg
