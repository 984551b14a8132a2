// Value and gradient of softmax cross-entropy, row by row.
#pragma once

#include "detection/losses/elementary.h"

namespace tailseg {

// One item = one row of logits; lanes walk the classes (contiguous). With m the largest logit and S = sum e^(z_j - m):
//   value = m - z_y + log S,   d value / d z_j = e^(z_j - m) / S - [j = y].
template <class Scalar>
struct SoftmaxCrossEntropyRow {
  static constexpr const char* name = "softmax_cross_entropy_row";
  static constexpr Lanes lanes = Lanes::block;
  using Real = ComputeType<Scalar>;
  const Scalar* logits;   // [R, columns]
  const int32_t* labels;  // [R]; -1: unused row
  Scalar* gradient;       // [R, columns]
  Real* values;           // [R]
  int32_t* hits;          // [R]: is the label's logit the largest
  int64_t columns;

  template <class Group>
  TS_HD void operator()(Group group, int64_t row) const {
    const Scalar* z = logits + row * columns;
    Scalar* g = gradient + row * columns;
    const int64_t label = labels[row];
    if (label < 0) {
      for (int64_t j = group.rank(); j < columns; j += group.size()) g[j] = Scalar(Real(0));
      if (group.rank() == 0) values[row] = Real(0);
      if (group.rank() == 0) hits[row] = 0;
      return;
    }
    const Real lowest = -std::numeric_limits<Real>::infinity();
    const Real top = max_over<Real>(group, columns, lowest, [&](int64_t j) { return Real(z[j]); });
    const Real sum = sum_over<Real>(group, columns, [&](int64_t j) { return exp_of_negative(Real(z[j]) - top); });
    const Real scale = Real(1) / sum;
    for (int64_t j = group.rank(); j < columns; j += group.size()) {
      g[j] = Scalar(exp_of_negative(Real(z[j]) - top) * scale - (j == label ? Real(1) : Real(0)));
    }
    if (group.rank() == 0) {  // a label beyond the columns must not pass unseen
      const bool known = label < columns;
      values[row] = known ? top - Real(z[label]) + math::log(sum) : std::numeric_limits<Real>::quiet_NaN();
      hits[row] = known && Real(z[label]) >= top;
    }
  }
  Cost cost(int64_t rows) const {
    const double elements = double(rows) * double(columns);
    return {2.0 * sizeof(Scalar) * elements, 45.0 * elements};
  }
};

}  // namespace tailseg
