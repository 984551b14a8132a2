// What the losses over rows share: a row kernel writes each row's value and the gradient before normalisation; one
// item then adds the values and finds the normaliser; the backward pass multiplies the stored gradient.
#pragma once

#include "tensor/body.h"

namespace tailseg {

// loss = (sum of values) / normaliser. One item; lanes walk the rows.
template <class Real>
struct RowLossTotal {
  static constexpr const char* name = "row_loss_total";
  static constexpr Lanes lanes = Lanes::block;
  const Real* values;     // [R]; 0 for unused rows
  const int32_t* labels;  // [R]; -1: unused
  const int32_t* hits;    // [R] 0 or 1, or null
  const Real* given;      // [1] the normaliser, or null: max(used rows, 1) * elements_a_row
  Real* loss;             // [1]
  Real* inverse;          // [1] 1 / normaliser
  int32_t* counts;        // [2]: used rows, hits
  int64_t rows, elements_a_row;
  const Real* weights = nullptr;  // [R], or null: divide by their sum
  Real ceiling = 0;               // above 0: a larger loss is cut to it and has no gradient

  template <class Group>
  TS_HD void operator()(Group group, int64_t) const {
    const Real total = sum_over<Real>(group, rows, [&](int64_t i) { return values[i]; });
    const int64_t used = sum_over<int64_t>(group, rows, [&](int64_t i) { return int64_t(labels[i] >= 0); });
    const int64_t hit = hits ? sum_over<int64_t>(group, rows, [&](int64_t i) { return int64_t(hits[i]); }) : 0;
    const Real weight = weights ? sum_over<Real>(group, rows, [&](int64_t i) { return weights[i]; }) : Real(0);
    if (group.rank() != 0) return;
    const int64_t elements = math::max(used, int64_t{1}) * elements_a_row;
    const Real own = !weights ? Real(elements) : (weight > Real(0) ? weight : Real(1));
    inverse[0] = Real(1) / (given ? given[0] : own);
    loss[0] = total * inverse[0];
    if (ceiling > Real(0) && loss[0] > ceiling) {
      loss[0] = ceiling;
      inverse[0] = Real(0);
    }
    counts[0] = static_cast<int32_t>(used);
    counts[1] = static_cast<int32_t>(hit);
  }
  Cost cost(int64_t) const { return {double(rows) * (sizeof(Real) + 8), double(rows) * 3}; }
};

// gradient *= upstream * inverse, in place. One item = kChunk elements.
template <class Scalar>
struct ScaleRowGradient {
  static constexpr const char* name = "scale_row_gradient";
  static constexpr Lanes lanes = Lanes::block;
  static constexpr int64_t kChunk = 8192;
  using Real = ComputeType<Scalar>;
  Scalar* gradient;
  const Real* upstream;  // [1]
  const Real* inverse;   // [1]
  int64_t elements;

  template <class Group>
  TS_HD void operator()(Group group, int64_t chunk) const {
    const Real factor = upstream[0] * inverse[0];
    const int64_t end = math::min(elements, (chunk + 1) * kChunk);
    for (int64_t i = chunk * kChunk + group.rank(); i < end; i += group.size()) {
      gradient[i] = Scalar(Real(gradient[i]) * factor);
    }
  }
  Cost cost(int64_t) const { return {2.0 * sizeof(Scalar) * double(elements), double(elements)}; }
};

}  // namespace tailseg
