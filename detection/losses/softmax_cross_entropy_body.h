// Value and gradient of softmax cross-entropy, row by row.
#pragma once

#include "detection/losses/softmax_family.h"

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
    if (label < 0) return clear_loss_row(group, g, columns, values + row, hits + row);
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

// With the objectness branch. One item = one row [classes | foreground, background]; lanes walk the classes. A
// background row has no class term; with m and S over the C class logits alone,
//   value = [y < C] (m - z_y + log S) + objectness,   d value / d z_j = [y < C] (e^(z_j - m) / S - [j = y]).
template <class Scalar>
struct SoftmaxObjectnessRow {
  static constexpr const char* name = "softmax_objectness_row";
  static constexpr Lanes lanes = Lanes::block;
  using Real = ComputeType<Scalar>;
  const Scalar* logits;   // [R, C + 2]
  const int32_t* labels;  // [R]; C: background, -1: unused row
  Scalar* gradient;       // [R, C + 2]
  Real* values;           // [R]
  int32_t* hits;          // [R]: foreground with its class on top and foreground above background; or background
  int64_t classes;

  template <class Group>
  TS_HD void operator()(Group group, int64_t row) const {
    const Scalar* z = logits + row * (classes + 2);
    Scalar* g = gradient + row * (classes + 2);
    const int64_t label = labels[row];
    if (label < 0) return clear_loss_row(group, g, classes + 2, values + row, hits + row);
    const bool object = label < classes;
    const Real lowest = -std::numeric_limits<Real>::infinity();
    const Real top = max_over<Real>(group, classes, lowest, [&](int64_t j) { return Real(z[j]); });
    const Real sum = sum_over<Real>(group, classes, [&](int64_t j) { return exp_of_negative(Real(z[j]) - top); });
    const Real scale = object ? Real(1) / sum : Real(0);
    for (int64_t j = group.rank(); j < classes; j += group.size()) {
      g[j] = Scalar(exp_of_negative(Real(z[j]) - top) * scale - (j == label ? Real(1) : Real(0)));
    }
    if (group.rank() != 0) return;
    const ValueAndSlope<Real> branch = objectness_at(Real(z[classes]), Real(z[classes + 1]), object);
    g[classes] = Scalar(branch.slope);
    g[classes + 1] = Scalar(-branch.slope);
    values[row] = branch.value;
    if (object) values[row] += top - Real(z[label]) + math::log(sum);
    if (label > classes) values[row] = std::numeric_limits<Real>::quiet_NaN();  // must not pass unseen
    hits[row] = (Real(z[classes]) > Real(z[classes + 1])) == object && (!object || Real(z[label]) >= top);
  }
  Cost cost(int64_t rows) const {
    const double elements = double(rows) * double(classes + 2);
    return {2.0 * sizeof(Scalar) * elements, 45.0 * elements};
  }
};

}  // namespace tailseg
