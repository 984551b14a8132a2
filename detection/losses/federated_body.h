// Federated loss: which classes take part, then value and gradient row by row.
#pragma once

#include "detection/losses/activation_body.h"

namespace tailseg {

// One item = one label, background included; lanes walk the rows. Labels of the batch are marked; the others get a key.
template <class Real>
struct FederatedKeys {
  static constexpr const char* name = "federated_keys";
  static constexpr Lanes lanes = Lanes::warp;
  const int32_t* labels;  // [R]
  const float* draws;     // [C] in [0, 1)
  const Real* weight;     // [C] images^power
  Real* chosen;           // [C + 1] 1 for labels of the batch
  Real* keys;             // [C] larger wins; -infinity for those that cannot be drawn
  int64_t rows, classes;

  template <class Group>
  TS_HD void operator()(Group group, int64_t c) const {
    const int64_t seen = sum_over<int64_t>(group, rows, [&](int64_t r) { return int64_t(labels[r] == c); });
    if (group.rank() != 0) return;
    chosen[c] = seen > 0 ? Real(1) : Real(0);
    if (c == classes) return;
    const Real u = math::max(Real(draws[c]), Real(1e-9));  // a draw of 0 is a very small one
    const bool can = seen == 0 && weight[c] > Real(0);
    keys[c] = can ? math::log(u) / weight[c] : -std::numeric_limits<Real>::infinity();
  }
  Cost cost(int64_t items) const { return {double(items) * 16 + double(rows) * 4, double(items) * double(rows)}; }
};

// One item: of the classes in the order of their keys, the first `most` - |U| are chosen too. Lanes walk them.
template <class Real>
struct FederatedChoice {
  static constexpr const char* name = "federated_choice";
  static constexpr Lanes lanes = Lanes::block;
  const int32_t* ranked;  // [most] classes by falling key, -1: none
  const Real* keys;       // [most] their keys
  Real* chosen;           // [C + 1]
  int64_t most, classes;

  template <class Group>
  TS_HD void operator()(Group group, int64_t) const {
    const int64_t present =
        sum_over<int64_t>(group, classes + 1, [&](int64_t c) { return int64_t(chosen[c] > Real(0)); });
    group.sync();  // every lane has counted before one is added
    for (int64_t i = group.rank(); i < most - present; i += group.size()) {
      if (ranked[i] >= 0 && math::finite(keys[i])) chosen[ranked[i]] = Real(1);
    }
  }
  Cost cost(int64_t) const { return {double(classes + 2 * most) * sizeof(Real), double(classes)}; }
};

// One item = one row; lanes walk the C class columns (contiguous). The last column has no part.
template <class Scalar, class Link>
struct FederatedRow {
  static constexpr const char* name = "federated_row";
  static constexpr Lanes lanes = Lanes::block;
  using Real = ComputeType<Scalar>;
  ClassRows<Scalar> rows;
  const Real* chosen;  // [C + 1] 1 or 0
  Link link;

  template <class Group>
  TS_HD void operator()(Group group, int64_t row) const {
    binary_row(
        group, rows, row, link, [&](int64_t j, bool) { return chosen[j]; }, rows.classes);
  }
  Cost cost(int64_t items) const { return rows.cost(items, 57); }
};

}  // namespace tailseg
