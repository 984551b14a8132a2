// Value and gradient of the box regression loss, RoI by RoI.
#pragma once

#include "detection/losses/elementary.h"

namespace tailseg {

// One item = one RoI; lanes walk its columns (contiguous). Only foreground rows count, and of those only the four
// columns of their class, or the only four there are.
template <class Scalar>
struct SmoothL1Row {
  static constexpr const char* name = "smooth_l1_row";
  static constexpr Lanes lanes = Lanes::warp;
  using Real = ComputeType<Scalar>;
  const Scalar* deltas;   // [R, columns]: 4, or 4 * classes
  const Real* targets;    // [R, 4]
  const int32_t* labels;  // [R]; foreground: [0, classes)
  Scalar* gradient;       // [R, columns]
  Real* values;           // [R]
  int64_t columns, classes;
  Real beta;

  template <class Group>
  TS_HD void operator()(Group group, int64_t row) const {
    const int64_t label = labels[row];
    const int64_t first = label < 0 || label >= classes ? -4 : (columns == 4 ? 0 : 4 * label);
    const Scalar* d = deltas + row * columns;
    Scalar* g = gradient + row * columns;
    Real value = Real(0);
    for (int64_t j = group.rank(); j < columns; j += group.size()) {
      Real slope = Real(0);
      if (j >= first && j < first + 4) {
        const ValueAndSlope<Real> at = smooth_l1_at(Real(d[j]) - targets[row * 4 + j - first], beta);
        value += at.value;
        slope = at.slope;
      }
      g[j] = Scalar(slope);
    }
    value = group.sum(value);
    if (group.rank() == 0) values[row] = value;
  }
  Cost cost(int64_t rows) const {
    return {sizeof(Scalar) * double(rows) * double(columns + 8), double(rows) * double(columns + 40)};
  }
};

}  // namespace tailseg
