// Value and gradient of binary cross-entropy with logits, row by row.
#pragma once

#include "detection/losses/elementary.h"

namespace tailseg {

// One item = one row; lanes walk its elements (contiguous).
template <class Scalar>
struct BinaryCrossEntropyRow {
  static constexpr const char* name = "binary_cross_entropy_row";
  static constexpr Lanes lanes = Lanes::block;
  using Real = ComputeType<Scalar>;
  const Scalar* logits;   // [R, columns]
  const Real* targets;    // [R, columns] in [0, 1]
  const int32_t* labels;  // [R]; -1: unused row
  Scalar* gradient;       // [R, columns]
  Real* values;           // [R]
  int64_t columns;

  template <class Group>
  TS_HD void operator()(Group group, int64_t row) const {
    const Scalar* z = logits + row * columns;
    const Real* t = targets + row * columns;
    Scalar* g = gradient + row * columns;
    Real value = Real(0);
    if (labels[row] < 0) {
      for (int64_t j = group.rank(); j < columns; j += group.size()) g[j] = Scalar(Real(0));
    } else {
      value = sum_over<Real>(group, columns, [&](int64_t j) {
        const ValueAndSlope<Real> at = binary_cross_entropy_at(Real(z[j]), t[j]);
        g[j] = Scalar(at.slope);
        return at.value;
      });
    }
    if (group.rank() == 0) values[row] = value;
  }
  Cost cost(int64_t rows) const {
    const double elements = double(rows) * double(columns);
    return {(2.0 * sizeof(Scalar) + sizeof(Real)) * elements, 50.0 * elements};
  }
};

}  // namespace tailseg
