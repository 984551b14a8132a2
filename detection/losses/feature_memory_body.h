// Kernels of the feature memory: boxes around objects, first in first out by class, and what is drawn.
#pragma once

#include "detection/box.h"

namespace tailseg {

// One item = one box around an object (thread).
template <class Real>
struct JitterBox {
  static constexpr const char* name = "jitter_box";
  static constexpr Lanes lanes = Lanes::one;
  static constexpr int64_t kPatterns = 16;
  const Real* truth;      // [N, G, 4]
  const int32_t* labels;  // [N, G]
  const int32_t* count;   // [N]
  const int32_t* sizes;   // [N, 2] height, width
  const float* draws;     // [N, 64]
  Real* boxes;            // [N * G * 16, 4]
  Real* objects;          // [N * G * 16, 4]
  int32_t* out_labels;    // [N * G * 16]
  int32_t* image;         // [N * G * 16]
  int64_t capacity;       // G

  template <class Group>
  TS_HD void operator()(Group, int64_t item) const {
    const int64_t object = item / kPatterns, k = item % kPatterns, n = object / capacity;
    const bool used = object % capacity < count[n];
    out_labels[item] = used ? labels[object] : -1;
    image[item] = used ? static_cast<int32_t>(n) : -1;
    Box<Real> box{}, own{};
    if (used) {
      own = load_box(truth + object * 4);
      const auto shift = [&](int64_t corner, Real side) {
        const Real size = Real(draws[n * 64 + corner * kPatterns + k]) / Real(6) * side;
        return (k >> corner & 1) ? size : -size;
      };
      box = clip_box(Box<Real>{own.x1 + shift(0, own.width()), own.y1 + shift(1, own.height()),
                               own.x2 + shift(2, own.width()), own.y2 + shift(3, own.height())},
                     Real(sizes[n * 2] - 1), Real(sizes[n * 2 + 1] - 1));
    }
    store_box(boxes + item * 4, box);
    store_box(objects + item * 4, own);
  }
  Cost cost(int64_t items) const { return {double(items) * 60, double(items) * 30}; }
};

// One item = one row; lanes walk the rows to find its place in its class's ring, then the elements (contiguous).
template <class Scalar>
struct PushFeature {
  static constexpr const char* name = "push_feature";
  static constexpr Lanes lanes = Lanes::block;
  using Real = ComputeType<Scalar>;
  const Scalar* rows;      // [R, E]
  const int32_t* labels;   // [R]
  const Real* row_deltas;  // [R, 4]
  const Real* next;        // [C]
  Real* features;          // [C, depth, E]
  Real* deltas;            // [C, depth, 4]
  int64_t count, classes, elements, depth;

  template <class Group>
  TS_HD void operator()(Group group, int64_t row) const {
    const int64_t c = labels[row];
    if (c < 0 || c >= classes) return;
    const int64_t before = sum_over<int64_t>(group, row, [&](int64_t r) { return int64_t(labels[r] == c); });
    const int64_t after =
        sum_over<int64_t>(group, count - row - 1, [&](int64_t r) { return int64_t(labels[row + 1 + r] == c); });
    if (after >= depth) return;  // newer rows of this push take its place
    const int64_t slot = c * depth + (static_cast<int64_t>(next[c]) + before) % depth;
    for (int64_t i = group.rank(); i < elements; i += group.size()) {
      features[slot * elements + i] = Real(rows[row * elements + i]);
    }
    for (int64_t i = group.rank(); i < 4; i += group.size()) deltas[slot * 4 + i] = row_deltas[row * 4 + i];
  }
  Cost cost(int64_t items) const {
    return {double(items * elements) * (sizeof(Scalar) + sizeof(Real)), double(items) * double(items)};
  }
};

// One item = one class; lanes walk the rows. After PushFeature.
template <class Real>
struct AdvanceMemory {
  static constexpr const char* name = "advance_memory";
  static constexpr Lanes lanes = Lanes::warp;
  const int32_t* labels;  // [R]
  Real* next;             // [C]
  Real* filled;           // [C]
  int64_t count, depth;

  template <class Group>
  TS_HD void operator()(Group group, int64_t c) const {
    const int64_t added = sum_over<int64_t>(group, count, [&](int64_t r) { return int64_t(labels[r] == c); });
    if (group.rank() != 0) return;
    next[c] = Real((static_cast<int64_t>(next[c]) + added) % depth);
    filled[c] = Real(math::min(static_cast<int64_t>(filled[c]) + added, depth));
  }
  Cost cost(int64_t items) const { return {double(count) * 4, double(items) * double(count)}; }
};

// One item = one drawn class; lanes walk the classes for the total, one of them for the place.
template <class Real>
struct DrawMemory {
  static constexpr const char* name = "draw_memory";
  static constexpr Lanes lanes = Lanes::warp;
  const Real* scores;  // [C]
  const Real* filled;  // [C]
  const float* draws;  // [classes_a_step] classes, then [classes_a_step, each] features
  int32_t* slots;      // [classes_a_step * each] into the store's rows, -1: nothing
  int32_t* labels;     // likewise
  int64_t classes, depth, classes_a_step, each;

  TS_HD Real weight(int64_t c) const { return filled[c] > Real(0) ? Real(1) / (scores[c] + Real(1e-7)) : Real(0); }
  template <class Group>
  TS_HD void operator()(Group group, int64_t item) const {
    const Real total = sum_over<Real>(group, classes, [&](int64_t c) { return weight(c); });
    if (group.rank() != 0) return;
    const Real goal = Real(draws[item]) * total;
    int64_t chosen = -1;
    Real sum = Real(0);
    for (int64_t c = 0; c < classes; ++c) {
      const Real w = weight(c);
      if (!(w > Real(0))) continue;
      chosen = c;  // rounding may leave the sum below the goal: then the last
      sum += w;
      if (sum > goal) break;
    }
    for (int64_t i = 0; i < each; ++i) {
      const int64_t have = chosen < 0 ? 0 : static_cast<int64_t>(filled[chosen]);
      const Real u = Real(draws[classes_a_step + item * each + i]);
      const int64_t place = math::min(static_cast<int64_t>(u * Real(have)), have - 1);
      slots[item * each + i] = chosen < 0 ? -1 : static_cast<int32_t>(chosen * depth + place);
      labels[item * each + i] = static_cast<int32_t>(chosen);
    }
  }
  Cost cost(int64_t items) const { return {double(items * classes) * 8, double(items * classes) * 6}; }
};

}  // namespace tailseg
