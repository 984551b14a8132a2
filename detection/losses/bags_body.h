// Balanced Group Softmax: where each class's column is, which rows each group keeps, value and gradient row by row,
// scores.
#pragma once

#include "detection/losses/softmax_family.h"

namespace tailseg {

// The columns of the logits, as the class's groups put them.
template <class Real>
struct BagsGroups {
  const Real* group;  // [C] 0..G-1, from a checkpoint perhaps, so read with care
  int64_t classes, groups;

  TS_HD int64_t of(int64_t c) const {
    const Real g = group[c];
    return g > Real(0) ? math::min(static_cast<int64_t>(g < Real(1e6) ? g : Real(1e6)), groups - 1) : 0;
  }
};

// begin[g] = first column of group g (its "others"), begin[G] = number of columns; column[c] = that of class c.
// One item = one class, then one group border; lanes walk the classes.
template <class Real>
struct BagsLayout {
  static constexpr const char* name = "bags_layout";
  static constexpr Lanes lanes = Lanes::warp;
  BagsGroups<Real> groups;
  int32_t* column;  // [C]
  int32_t* begin;   // [G + 1]

  template <class Group>
  TS_HD void operator()(Group group, int64_t item) const {
    const int64_t c = item, g = c < groups.classes ? groups.of(c) : c - groups.classes;
    const int64_t before = sum_over<int64_t>(group, groups.classes, [&](int64_t k) {
      const int64_t other = groups.of(k);
      return int64_t(other < g || (other == g && k < c && c < groups.classes));
    });
    if (group.rank() != 0) return;
    if (c < groups.classes)
      column[c] = static_cast<int32_t>(2 + g + 1 + before);
    else
      begin[g] = static_cast<int32_t>(2 + g + before);
  }
  Cost cost(int64_t items) const { return {double(items) * sizeof(Real), double(items) * double(groups.classes) * 4}; }
};

// One item = one group; lanes walk the rows. keys[g, r] = the draw of a row that may be "others", -1 for the rest;
// limit[g] = how many of those are kept; share[g] = used rows / kept rows, 0 where the group adds nothing.
template <class Real>
struct BagsKeys {
  static constexpr const char* name = "bags_keys";
  static constexpr Lanes lanes = Lanes::block;
  BagsGroups<Real> groups;
  const int32_t* labels;  // [R]
  const float* draws;     // [R, G]
  float* keys;            // [G, R]
  int32_t* limit;         // [G]
  Real* share;            // [G]
  int64_t rows;
  Real ratio;

  TS_HD bool inside(int64_t r, int64_t g) const {
    return labels[r] >= 0 && labels[r] < groups.classes && groups.of(labels[r]) == g;
  }
  template <class Group>
  TS_HD void operator()(Group group, int64_t g) const {
    for (int64_t r = group.rank(); r < rows; r += group.size()) {
      keys[g * rows + r] = labels[r] >= 0 && !inside(r, g) ? draws[r * groups.groups + g] : -1.f;
    }
    const int64_t used = sum_over<int64_t>(group, rows, [&](int64_t r) { return int64_t(labels[r] >= 0); });
    const int64_t own = sum_over<int64_t>(group, rows, [&](int64_t r) { return int64_t(inside(r, g)); });
    if (group.rank() != 0) return;
    const Real wanted = ratio * Real(own);
    const int64_t others = wanted < Real(used - own) ? static_cast<int64_t>(wanted) : used - own;
    limit[g] = static_cast<int32_t>(others);
    share[g] = own > 0 ? Real(used) / Real(own + others) : Real(0);
  }
  Cost cost(int64_t items) const { return {double(items) * double(rows) * 12, double(items) * double(rows) * 6}; }
};

// kept[g, r] = 1 for rows of the group's classes and the first limit[g] of the others. One item = one group; lanes walk
// the rows, then the ranks.
template <class Real>
struct BagsKept {
  static constexpr const char* name = "bags_kept";
  static constexpr Lanes lanes = Lanes::block;
  BagsKeys<Real> keys;
  const int32_t* ranked;  // [G, R] rows by falling key
  uint8_t* kept;          // [G, R]

  template <class Group>
  TS_HD void operator()(Group group, int64_t g) const {
    const bool in_use = keys.share[g] > Real(0);
    for (int64_t r = group.rank(); r < keys.rows; r += group.size()) {
      kept[g * keys.rows + r] = in_use && keys.inside(r, g);
    }
    group.sync();  // before the others are added
    for (int64_t i = group.rank(); in_use && i < keys.limit[g]; i += group.size()) {
      const int32_t r = ranked[g * keys.rows + i];
      if (r >= 0) kept[g * keys.rows + r] = 1;
    }
  }
  Cost cost(int64_t items) const { return {double(items) * double(keys.rows) * 6, double(items) * double(keys.rows)}; }
};

// One item = one row; lanes walk the columns of one group after the other (contiguous). Each group's cross-entropy and
// gradient are scaled by used rows / kept rows, so that the mean over used rows is the mean over kept ones.
template <class Scalar>
struct BagsRow {
  static constexpr const char* name = "bags_row";
  static constexpr Lanes lanes = Lanes::block;
  using Real = ComputeType<Scalar>;
  ClassRows<Scalar> rows;
  const int32_t* column;  // [C]
  const int32_t* begin;   // [G + 1]
  const uint8_t* kept;    // [G, R]
  const Real* share;      // [G]
  int64_t groups, count;  // G, R

  // The cross-entropy of columns [first, last); gradient written, times weight. `top` says whether the target leads.
  template <class Group>
  TS_HD Real part(Group group, const Scalar* z, Scalar* g, int64_t n, int64_t target, Real weight, bool& top) const {
    const auto [most, sum] = softmax_over<Real>(group, n, [&](int64_t j) { return Real(z[j]); });
    for (int64_t j = group.rank(); j < n; j += group.size()) {
      g[j] = Scalar(weight * (exp_of_negative(Real(z[j]) - most) / sum - (j == target ? Real(1) : Real(0))));
    }
    top = Real(z[target]) >= most;
    return weight * (most - Real(z[target]) + math::log(sum));
  }
  template <class Group>
  TS_HD void operator()(Group group, int64_t row) const {
    const int64_t label = rows.labels[row];
    if (label < 0) return rows.clear(group, row);
    const bool object = label < rows.classes;
    bool hit = false, top = false;
    Real value = part(group, rows.z(row), rows.g(row), 2, object ? 1 : 0, Real(1), hit);
    for (int64_t k = 0; k < groups; ++k) {
      const int64_t first = begin[k], n = begin[k + 1] - first;
      const int64_t own = object ? column[label] - first : 0;
      const bool inside = object && own >= 0 && own < n;
      const Real weight = kept[k * count + row] ? share[k] : Real(0);
      const Real term = part(group, rows.z(row) + first, rows.g(row) + first, n, inside ? own : 0, weight, top);
      if (weight > Real(0)) value += term;
      if (inside) hit = hit && top;
    }
    if (group.rank() == 0) rows.finish(row, value, hit);
  }
  Cost cost(int64_t items) const { return rows.cost(items, 46); }
};

// One item = one row; lanes walk the classes. [R, C]: softmax within the class's group times the foreground's share.
template <class Scalar>
struct BagsScores {
  static constexpr const char* name = "bags_scores";
  static constexpr Lanes lanes = Lanes::block;
  using Real = ComputeType<Scalar>;
  BagsGroups<Real> of;
  const Scalar* logits;   // [R, columns]
  const int32_t* column;  // [C]
  const int32_t* begin;   // [G + 1]
  Real* scores;           // [R, C]
  int64_t columns;

  template <class Group>
  TS_HD void operator()(Group group, int64_t row) const {
    const Scalar* z = logits + row * columns;
    const Real object = math::sigmoid(Real(z[1]) - Real(z[0]));
    const Real lowest = -std::numeric_limits<Real>::infinity();
    for (int64_t k = 0; k < of.groups; ++k) {
      const Scalar* mine = z + begin[k];
      const int64_t n = begin[k + 1] - begin[k];
      const Real top = max_over<Real>(group, n, lowest, [&](int64_t j) { return Real(mine[j]); });
      const Real sum = sum_over<Real>(group, n, [&](int64_t j) { return math::exp(Real(mine[j]) - top); });
      for (int64_t c = group.rank(); c < of.classes; c += group.size()) {
        if (of.of(c) == k) scores[row * of.classes + c] = math::exp(Real(z[column[c]]) - top) / sum * object;
      }
    }
  }
  Cost cost(int64_t rows) const {
    return {(sizeof(Scalar) + sizeof(Real)) * double(rows * columns), 40.0 * double(rows * columns)};
  }
};

}  // namespace tailseg
