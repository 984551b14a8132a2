// Equalization loss v2: weights of the classes, value and gradient row by row, sums of gradients by class, scores.
#pragma once

#include "detection/losses/activation_body.h"

namespace tailseg {

// One item = one column (thread): the weights of its negatives and positives; 1 for the background, the last.
template <class Real>
struct EqlV2Weights {
  static constexpr const char* name = "eql_v2_weights";
  static constexpr Lanes lanes = Lanes::one;
  const Real* ratio;  // [C]
  Real* negative;     // [C + 1]
  Real* positive;     // [C + 1]
  int64_t classes;
  Real gamma, mu, alpha;

  template <class Group>
  TS_HD void operator()(Group group, int64_t j) const {
    if (group.rank() != 0) return;
    const Real f = j < classes ? math::sigmoid(gamma * (ratio[j] - mu)) : Real(1);
    negative[j] = f;
    positive[j] = Real(1) + alpha * (Real(1) - f);
  }
  Cost cost(int64_t items) const { return {double(items) * 3 * sizeof(Real), double(items) * 20}; }
};

// One item = one row; lanes walk the C + 1 columns (contiguous).
template <class Scalar>
struct EqlV2Row {
  static constexpr const char* name = "eql_v2_row";
  static constexpr Lanes lanes = Lanes::block;
  using Real = ComputeType<Scalar>;
  ClassRows<Scalar> rows;
  const Real* negative;  // [C + 1]
  const Real* positive;  // [C + 1]

  template <class Group>
  TS_HD void operator()(Group group, int64_t row) const {
    binary_row(group, rows, row, SigmoidLink{}, [&](int64_t j, bool is) { return is ? positive[j] : negative[j]; });
  }
  Cost cost(int64_t items) const { return rows.cost(items, 57); }
};

// Sums of |gradient| over rows, in two steps so that lanes walk contiguous columns and the order is fixed. First: one
// item = kRows rows by kColumns classes; lanes walk the classes.
template <class Scalar>
struct GradientMagnitudes {
  static constexpr const char* name = "gradient_magnitudes";
  static constexpr Lanes lanes = Lanes::block;
  static constexpr int64_t kRows = 64, kColumns = 256;
  using Real = ComputeType<Scalar>;
  const Scalar* gradient;  // [R, C + 1] weighted, not yet divided by N
  const int32_t* labels;   // [R]
  Real* positive;          // [chunks, C]
  Real* negative;          // [chunks, C]
  int64_t rows, classes, tiles;

  template <class Group>
  TS_HD void operator()(Group group, int64_t item) const {
    const int64_t chunk = item / tiles, first = chunk * kRows, last = math::min(first + kRows, rows);
    const int64_t begin = item % tiles * kColumns, end = math::min(begin + kColumns, classes);
    for (int64_t j = begin + group.rank(); j < end; j += group.size()) {
      Real with = Real(0), without = Real(0);
      for (int64_t r = first; r < last; ++r) {
        if (labels[r] < 0) continue;
        const Real size = math::abs(Real(gradient[r * (classes + 1) + j]));
        if (labels[r] == j)
          with += size;
        else
          without += size;
      }
      positive[chunk * classes + j] = with;
      negative[chunk * classes + j] = without;
    }
  }
  Cost cost(int64_t) const {
    return {double(rows) * double(classes) * sizeof(Scalar), double(rows) * double(classes) * 3};
  }
};

// Second: one item = one class (thread) adds the chunks to its state and renews the ratio.
template <class Real>
struct AddMagnitudes {
  static constexpr const char* name = "add_magnitudes";
  static constexpr Lanes lanes = Lanes::one;
  const Real* positive;  // [chunks, C]
  const Real* negative;  // [chunks, C]
  Real* all_positive;    // [C]
  Real* all_negative;    // [C]
  Real* ratio;           // [C]
  int64_t chunks, classes;

  template <class Group>
  TS_HD void operator()(Group group, int64_t j) const {
    if (group.rank() != 0) return;
    Real with = Real(0), without = Real(0);
    for (int64_t k = 0; k < chunks; ++k) {
      with += positive[k * classes + j];
      without += negative[k * classes + j];
    }
    all_positive[j] += with;
    all_negative[j] += without;
    ratio[j] = all_positive[j] / (all_negative[j] + Real(1e-10));
  }
  Cost cost(int64_t items) const { return {double(items * chunks) * 2 * sizeof(Real), double(items * chunks) * 2}; }
};

// One item = one row; lanes walk the classes: sigmoid(z_j) (1 - sigmoid(z_background)).
template <class Scalar>
struct EqlV2Scores {
  static constexpr const char* name = "eql_v2_scores";
  static constexpr Lanes lanes = Lanes::warp;
  using Real = ComputeType<Scalar>;
  const Scalar* logits;  // [R, C + 1]
  Real* scores;          // [R, C]
  int64_t classes;

  template <class Group>
  TS_HD void operator()(Group group, int64_t row) const {
    const Scalar* z = logits + row * (classes + 1);
    const Real object = math::sigmoid(-Real(z[classes]));
    for (int64_t c = group.rank(); c < classes; c += group.size()) {
      scores[row * classes + c] = math::sigmoid(Real(z[c])) * object;
    }
  }
  Cost cost(int64_t rows) const {
    return {(sizeof(Scalar) + sizeof(Real)) * double(rows * classes), 30.0 * double(rows * classes)};
  }
};

}  // namespace tailseg
