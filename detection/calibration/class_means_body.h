#pragma once

#include "tensor/body.h"

namespace tailseg {

// One item = one class, which gathers its own rows in order; lanes walk the features.
template <class Scalar>
struct AddToClassMean {
  static constexpr const char* name = "add_to_class_mean";
  static constexpr Lanes lanes = Lanes::block;
  using Real = ComputeType<Scalar>;
  const Scalar* x;        // [R, F]
  const int32_t* labels;  // [R]
  Real* mean;             // [K, F]
  Real* count;            // [K]
  int64_t rows, features;

  template <class Group>
  TS_HD void operator()(Group group, int64_t item) const {
    Real seen = count[item];
    group.sync();  // every lane has read the count before one of them changes it
    Real* mine = mean + item * features;
    for (int64_t row = 0; row < rows; ++row) {
      if (labels[row] != item) continue;
      seen += Real(1);
      const Scalar* from = x + row * features;
      for (int64_t i = group.rank(); i < features; i += group.size()) mine[i] += (Real(from[i]) - mine[i]) / seen;
    }
    if (group.rank() == 0) count[item] = seen;
  }
  Cost cost(int64_t classes) const {
    return {sizeof(Scalar) * double(rows * features) + 2.0 * sizeof(Real) * double(rows * features) +
                4.0 * double(classes * rows),
            3.0 * double(rows * features)};
  }
};

// One item = one class: its constant in the logits, -square |m|^2, or `never` for a class that was not met.
template <class Real>
struct ClassMeanBias {
  static constexpr const char* name = "class_mean_bias";
  static constexpr Lanes lanes = Lanes::warp;
  const Real* mean;   // [K, F]
  const Real* count;  // [K]
  Real* bias;         // [K]
  int64_t features;
  Real square, never;

  template <class Group>
  TS_HD void operator()(Group group, int64_t item) const {
    const Real* mine = mean + item * features;
    const Real squares = sum_over<Real>(group, features, [&](int64_t i) { return mine[i] * mine[i]; });
    if (group.rank() == 0) bias[item] = count[item] > Real(0) ? -square * squares : never;
  }
  Cost cost(int64_t classes) const {
    return {sizeof(Real) * double(classes * features), 2.0 * double(classes * features)};
  }
};

}  // namespace tailseg
