#pragma once

#include "tensor/body.h"

namespace tailseg {

// One item = one object (thread): sorting largest key first puts class 0 in front.
struct ClassKeys {
  static constexpr const char* name = "class_keys";
  static constexpr Lanes lanes = Lanes::one;
  const int32_t* label;  // [A]
  float* keys;           // [A]

  template <class Group>
  TS_HD void operator()(Group, int64_t a) const {
    keys[a] = -static_cast<float>(label[a]);
  }
  Cost cost(int64_t n) const { return {8.0 * double(n), double(n)}; }
};

// One item = one place of the sorted objects (thread): 1 where a new pair of class and photo begins.
struct PairFlags {
  static constexpr const char* name = "pair_flags";
  static constexpr Lanes lanes = Lanes::one;
  const int32_t* sorted;  // [A] objects by class, then photo
  const int32_t* label;   // [A]
  const int32_t* photo;   // [A]
  int32_t* first;         // [A]

  template <class Group>
  TS_HD void operator()(Group, int64_t s) const {
    const int32_t mine = sorted[s], before = s > 0 ? sorted[s - 1] : mine;
    first[s] = s == 0 || label[mine] != label[before] || photo[mine] != photo[before];
  }
  Cost cost(int64_t n) const { return {28.0 * double(n), 4.0 * double(n)}; }
};

// One item = one place of the sorted objects (thread): the first object of a pair writes the pair's photo.
struct PairPhotos {
  static constexpr const char* name = "pair_photos";
  static constexpr Lanes lanes = Lanes::one;
  const int32_t* sorted;  // [A]
  const int32_t* photo;   // [A]
  const int32_t* place;   // [A + 1] prefix sum of the flags
  int32_t* photos;        // [A]

  template <class Group>
  TS_HD void operator()(Group, int64_t s) const {
    if (place[s + 1] > place[s]) photos[place[s]] = photo[sorted[s]];
  }
  Cost cost(int64_t n) const { return {20.0 * double(n), 2.0 * double(n)}; }
};

// One item = one class, and one item more for the end (thread): where its objects and pairs begin.
struct ClassBounds {
  static constexpr const char* name = "class_bounds";
  static constexpr Lanes lanes = Lanes::one;
  const int32_t* sorted;  // [A]
  const int32_t* label;   // [A]
  const int32_t* place;   // [A + 1]
  int32_t* begin;         // [C + 1]
  int32_t* objects;       // [C]
  int64_t count, classes;

  TS_HD int64_t first_of(int64_t c) const {  // the first place whose class is at least c
    int64_t low = 0, high = count;
    while (low < high) {
      const int64_t middle = (low + high) / 2;
      if (label[sorted[middle]] < c) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }
  template <class Group>
  TS_HD void operator()(Group, int64_t c) const {
    const int64_t first = first_of(c);
    begin[c] = place[first];
    if (c < classes) objects[c] = static_cast<int32_t>(first_of(c + 1) - first);
  }
  Cost cost(int64_t n) const { return {400.0 * double(n), 200.0 * double(n)}; }
};

}  // namespace tailseg
