#pragma once

#include "tensor/body.h"

namespace tailseg {

// One item = one row of logits; lanes walk the classes (contiguous). The background column, the last, is dropped.
template <class Scalar>
struct SoftmaxScores {
  static constexpr const char* name = "softmax_scores";
  static constexpr Lanes lanes = Lanes::warp;
  using Real = ComputeType<Scalar>;
  const Scalar* logits;  // [R, C + 1]
  Real* scores;          // [R, C]
  int64_t classes;       // C

  template <class Group>
  TS_HD void operator()(Group group, int64_t row) const {
    const Scalar* z = logits + row * (classes + 1);
    const Real largest =
        max_over(group, classes + 1, -std::numeric_limits<Real>::infinity(), [&](int64_t c) { return Real(z[c]); });
    const Real total = sum_over<Real>(group, classes + 1, [&](int64_t c) { return math::exp(Real(z[c]) - largest); });
    for (int64_t c = group.rank(); c < classes; c += group.size()) {
      scores[row * classes + c] = math::exp(Real(z[c]) - largest) / total;
    }
  }
  Cost cost(int64_t rows) const {
    return {(sizeof(Scalar) + sizeof(Real)) * double(rows * classes), 30.0 * double(rows * classes)};
  }
};

// One item = one row [classes | foreground, background]; lanes walk the classes (contiguous).
template <class Scalar>
struct SoftmaxObjectnessScores {
  static constexpr const char* name = "softmax_objectness_scores";
  static constexpr Lanes lanes = Lanes::warp;
  using Real = ComputeType<Scalar>;
  const Scalar* logits;  // [R, C + 2]
  Real* scores;          // [R, C]
  int64_t classes;       // C

  template <class Group>
  TS_HD void operator()(Group group, int64_t row) const {
    const Scalar* z = logits + row * (classes + 2);
    const Real largest =
        max_over(group, classes, -std::numeric_limits<Real>::infinity(), [&](int64_t c) { return Real(z[c]); });
    const Real total = sum_over<Real>(group, classes, [&](int64_t c) { return math::exp(Real(z[c]) - largest); });
    const Real scale = math::sigmoid(Real(z[classes]) - Real(z[classes + 1])) / total;
    for (int64_t c = group.rank(); c < classes; c += group.size()) {
      scores[row * classes + c] = math::exp(Real(z[c]) - largest) * scale;
    }
  }
  Cost cost(int64_t rows) const {
    return {(sizeof(Scalar) + sizeof(Real)) * double(rows * classes), 30.0 * double(rows * classes)};
  }
};

}  // namespace tailseg
