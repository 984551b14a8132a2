// What the row kernels of the classification losses read and write, as one struct of pointers.
#pragma once

#include "detection/losses/elementary.h"

namespace tailseg {

template <class Scalar>
struct ClassRows {
  using Real = ComputeType<Scalar>;
  const Scalar* logits;   // [R, columns]
  const int32_t* labels;  // [R]; class 0..C-1, background C, -1: unused row
  Scalar* gradient;       // [R, columns] of the row's value
  Real* values;           // [R]
  int32_t* hits;          // [R]: is the row's label what its logits say
  int64_t columns, classes;

  TS_HD const Scalar* z(int64_t row) const { return logits + row * columns; }
  TS_HD Scalar* g(int64_t row) const { return gradient + row * columns; }

  // A row with label -1: value, gradient and hit are 0.
  template <class Group>
  TS_HD void clear(Group group, int64_t row) const {
    for (int64_t j = group.rank(); j < columns; j += group.size()) g(row)[j] = Scalar(Real(0));
    if (group.rank() == 0) finish(row, Real(0), false);
  }
  // By one lane. A label beyond the background makes the row's value NaN: it must not pass unseen.
  TS_HD void finish(int64_t row, Real value, bool hit) const {
    values[row] = labels[row] > classes ? std::numeric_limits<Real>::quiet_NaN() : value;
    hits[row] = hit;
  }
  Cost cost(int64_t rows, double operations_an_element) const {
    const double elements = double(rows) * double(columns);
    return {2.0 * sizeof(Scalar) * elements, operations_an_element * elements};
  }
};

}  // namespace tailseg
