// Scores from logits under one softmax, with or without an objectness branch beside it.
#pragma once

#include "tensor/body.h"

namespace tailseg {

// One item = one row; lanes walk the classes (contiguous). The softmax is over scale * z; the background, the last
// column, is dropped. With the branch the background is not under the softmax, and sigmoid(z_foreground - z_background)
// weighs it.
template <class Scalar>
struct SoftmaxScores {
  static constexpr const char* name = "softmax_scores";
  static constexpr Lanes lanes = Lanes::warp;
  using Real = ComputeType<Scalar>;
  const Scalar* logits;  // [R, C + 1], or [R, C + 2] [classes | foreground, background]
  Real* scores;          // [R, C]
  int64_t classes;       // C
  Real scale = Real(1);
  bool objectness = false;

  template <class Group>
  TS_HD void operator()(Group group, int64_t row) const {
    const int64_t under = objectness ? classes : classes + 1;
    const Scalar* z = logits + row * (objectness ? classes + 2 : classes + 1);
    const Real top =
        max_over(group, under, -std::numeric_limits<Real>::infinity(), [&](int64_t c) { return Real(z[c]); });
    const auto share = [&](int64_t c) { return math::exp(scale * (Real(z[c]) - top)); };
    const Real sum = sum_over<Real>(group, under, share);
    const Real branch = objectness ? math::sigmoid(Real(z[classes]) - Real(z[classes + 1])) : Real(1);
    for (int64_t c = group.rank(); c < classes; c += group.size()) scores[row * classes + c] = share(c) / sum * branch;
  }
  Cost cost(int64_t rows) const {
    return {(sizeof(Scalar) + sizeof(Real)) * double(rows * classes), 30.0 * double(rows * classes)};
  }
};

}  // namespace tailseg
