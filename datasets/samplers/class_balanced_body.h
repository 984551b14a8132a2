#pragma once

#include "tensor/body.h"
#include "tensor/philox.h"

namespace tailseg {

// One item = one cycle (thread): the places 0 .. K - 1 in a random order.
struct ClassCycle {
  static constexpr const char* name = "class_cycle";
  static constexpr Lanes lanes = Lanes::one;
  int32_t* order;  // [cycles, K]
  int64_t classes, first_cycle;
  RandomKey key;

  template <class Group>
  TS_HD void operator()(Group, int64_t item) const {
    int32_t* mine = order + item * classes;
    for (int64_t i = 0; i < classes; ++i) mine[i] = static_cast<int32_t>(i);
    shuffle(mine, static_cast<size_t>(classes), RandomStream(key, static_cast<uint32_t>(first_cycle + item), 0));
  }
  Cost cost(int64_t n) const { return {4.0 * double(n * classes), 60.0 * double(n * classes)}; }
};

// Which part of a class's endless stream of photos the draws read: passes [first, last] over its list of n.
struct ClassPasses {
  const int32_t* classes;  // [K]
  const int32_t* begin;    // [C + 1]
  int64_t from, to;        // places in every class's stream, inclusive

  TS_HD int64_t size(int64_t k) const { return begin[classes[k] + 1] - begin[classes[k]]; }
  TS_HD int64_t first(int64_t k) const { return from / size(k); }
  TS_HD int64_t last(int64_t k) const { return to / size(k); }
};

// One item = one class (thread): the length of all its passes.
struct PassLength {
  static constexpr const char* name = "pass_length";
  static constexpr Lanes lanes = Lanes::one;
  ClassPasses passes;
  int64_t* length;  // [K]

  template <class Group>
  TS_HD void operator()(Group, int64_t k) const {
    length[k] = (passes.last(k) - passes.first(k) + 1) * passes.size(k);
  }
  Cost cost(int64_t n) const { return {24.0 * double(n), 40.0 * double(n)}; }
};

// One item = one class (thread): its list, shuffled once for each pass.
struct PassPhotos {
  static constexpr const char* name = "pass_photos";
  static constexpr Lanes lanes = Lanes::one;
  ClassPasses passes;
  const int32_t* photos;  // of the class index
  const int64_t* offset;  // [K + 1] prefix sum of the lengths
  int32_t* shuffled;      // [offset[K]]
  RandomKey key;
  int64_t total;  // offset[K], for the cost

  template <class Group>
  TS_HD void operator()(Group, int64_t k) const {
    const int32_t label = passes.classes[k];
    const int64_t n = passes.size(k), first = passes.first(k), last = passes.last(k);
    for (int64_t pass = first; pass <= last; ++pass) {
      int32_t* mine = shuffled + offset[k] + (pass - first) * n;
      for (int64_t i = 0; i < n; ++i) mine[i] = photos[passes.begin[label] + i];
      shuffle(mine, static_cast<size_t>(n),
              RandomStream(key, static_cast<uint32_t>(pass), static_cast<uint32_t>(label)));
    }
  }
  Cost cost(int64_t) const { return {12.0 * double(total), 60.0 * double(total)}; }
};

// One item = one draw (thread).
struct BalancedDraw {
  static constexpr const char* name = "balanced_draw";
  static constexpr Lanes lanes = Lanes::one;
  ClassPasses passes;
  const int32_t* order;     // [cycles, K]
  const int32_t* shuffled;  // of all passes
  const int64_t* offset;    // [K + 1]
  int32_t* photo;           // [L]
  int32_t* label;           // [L]
  int64_t classes, per_class, first, first_cycle;

  template <class Group>
  TS_HD void operator()(Group, int64_t item) const {
    const int64_t draw = first + item, visit = draw / per_class, cycle = visit / classes;
    const int32_t k = order[(cycle - first_cycle) * classes + visit % classes];
    const int64_t place = cycle * per_class + draw % per_class, n = passes.size(k);
    photo[item] = shuffled[offset[k] + (place / n - passes.first(k)) * n + place % n];
    label[item] = passes.classes[k];
  }
  Cost cost(int64_t n) const { return {40.0 * double(n), 120.0 * double(n)}; }
};

}  // namespace tailseg
