// Rank by counting: a key's place is the number of keys that come before it. Quadratic and hard to get wrong.
#pragma once

#include "tensor/body.h"

namespace tailseg {

// Does (a, index i) come before (b, index j)? Larger first, then the lower index; NaN last.
template <class Real>
TS_HD inline bool ranks_before(Real a, int64_t i, Real b, int64_t j) {
  const bool a_nan = a != a, b_nan = b != b;
  if (a_nan != b_nan) return b_nan;
  if (a_nan || a == b) return i < j;
  return a > b;
}

// One item = one column or one output slot of a row; lanes walk the row's keys (contiguous). Item i of a row places
// key i, and when i is at or behind the row's count it fills slot i instead, so each slot is written by one item.
template <class Scalar>
struct TopkNaive {
  static constexpr const char* name = "topk_naive";
  static constexpr Lanes lanes = Lanes::warp;
  const Scalar* keys;     // [rows, n]
  const int32_t* counts;  // [rows] or null
  Scalar* values;         // [rows, k]
  int32_t* indices;       // [rows, k]
  int64_t n, k;

  TS_HD static int64_t items_per_row(int64_t n, int64_t k) { return math::max(n, k); }

  template <class Group>
  TS_HD void operator()(Group group, int64_t item) const {
    const int64_t width = items_per_row(n, k);
    const int64_t row = item / width, i = item % width;
    const int64_t count = counts ? math::clamp<int64_t>(counts[row], 0, n) : n;
    if (i >= count) {
      if (i < k && group.rank() == 0) write(row * k + i, -std::numeric_limits<Scalar>::infinity(), -1);
      return;
    }
    const Scalar* mine = keys + row * n;
    int64_t before = 0;
    for (int64_t j = group.rank(); j < count; j += group.size()) before += ranks_before(mine[j], j, mine[i], i);
    before = group.sum(before);
    if (before < k && group.rank() == 0) write(row * k + before, mine[i], static_cast<int32_t>(i));
  }
  TS_HD void write(int64_t slot, Scalar value, int32_t index) const {
    values[slot] = value;
    indices[slot] = index;
  }
  Cost cost(int64_t items) const { return {double(sizeof(Scalar)) * items, double(items) * double(n)}; }
};

// One item = one output; lanes walk the entries before it.
template <class Integer>
struct ExclusiveScanNaive {
  static constexpr const char* name = "exclusive_scan_naive";
  static constexpr Lanes lanes = Lanes::warp;
  const Integer* x;  // [rows, n]
  Integer* out;      // [rows, n + 1]
  int64_t n;

  template <class Group>
  TS_HD void operator()(Group group, int64_t item) const {
    const int64_t row = item / (n + 1), i = item % (n + 1);
    int64_t total = 0;
    for (int64_t j = group.rank(); j < i; j += group.size()) total += x[row * n + j];
    total = group.sum(total);
    if (group.rank() == 0) out[item] = static_cast<Integer>(total);
  }
  Cost cost(int64_t items) const { return {2.0 * sizeof(Integer) * items, 0.5 * items * n}; }
};

}  // namespace tailseg
