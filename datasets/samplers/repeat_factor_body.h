#pragma once

#include "tensor/body.h"
#include "tensor/philox.h"

namespace tailseg {

// One item = one class (thread): r_c = max(1, (t / f_c)^a), f_c = its photos (or objects) over all.
template <class Real>
struct ClassRepeatFactor {
  static constexpr const char* name = "class_repeat_factor";
  static constexpr Lanes lanes = Lanes::one;
  const int32_t* begin;    // [C + 1]
  const int32_t* objects;  // [C]
  Real* factor;            // [C]
  int64_t total;           // photos or objects in all
  bool by_objects;
  Real threshold, exponent;

  template <class Group>
  TS_HD void operator()(Group, int64_t c) const {
    const int32_t mine = by_objects ? objects[c] : begin[c + 1] - begin[c];
    Real r = 1;
    if (mine > 0 && threshold > Real(0)) {
      const Real share = threshold / (Real(mine) / Real(total));
      r = math::max(Real(1), exponent == Real(0.5) ? math::sqrt(share) : math::pow(share, exponent));
    }
    factor[c] = r;
  }
  Cost cost(int64_t n) const { return {(12.0 + sizeof(Real)) * double(n), 40.0 * double(n)}; }
};

// One item = one photo (thread): the largest factor among its classes.
template <class Real>
struct PhotoRepeatFactor {
  static constexpr const char* name = "photo_repeat_factor";
  static constexpr Lanes lanes = Lanes::one;
  const int32_t* begin;        // [I + 1]
  const int32_t* label;        // [A]
  const uint8_t* drawable;     // [I]
  const Real* class_factor;    // [C]
  Real* factor;                // [I]
  int64_t objects_of_a_photo;  // on average, for the cost

  template <class Group>
  TS_HD void operator()(Group, int64_t i) const {
    Real largest = drawable[i] ? 1 : 0;
    if (drawable[i]) {
      for (int64_t a = begin[i]; a < begin[i + 1]; ++a) largest = math::max(largest, class_factor[label[a]]);
    }
    factor[i] = largest;
  }
  Cost cost(int64_t n) const { return {double(n) * double(16 + 12 * objects_of_a_photo), 8.0 * double(n)}; }
};

// One item = one photo (thread): the draw that decides about one more copy.
struct RepeatDraw {
  static constexpr const char* name = "repeat_draw";
  static constexpr Lanes lanes = Lanes::one;
  float* uniform;  // [I]
  RandomKey key;
  uint32_t epoch;

  template <class Group>
  TS_HD void operator()(Group, int64_t i) const {
    uniform[i] = random_uniform(key, epoch, static_cast<uint32_t>(i));
  }
  Cost cost(int64_t n) const { return {4.0 * double(n), 120.0 * double(n)}; }
};

// One item = one photo (thread): floor(r) copies and one more when u < r - floor(r), or ceil(r) copies.
template <class Real>
struct RepeatCount {
  static constexpr const char* name = "repeat_count";
  static constexpr Lanes lanes = Lanes::one;
  const Real* factor;    // [I]
  const float* uniform;  // [I]
  int64_t* count;        // [I]
  bool ceil;

  template <class Group>
  TS_HD void operator()(Group, int64_t i) const {
    const Real whole = math::floor(factor[i]);
    const bool more = ceil ? factor[i] > whole : Real(uniform[i]) < factor[i] - whole;
    count[i] = static_cast<int64_t>(whole) + more;
  }
  Cost cost(int64_t n) const { return {(12.0 + sizeof(Real)) * double(n), 5.0 * double(n)}; }
};

// One item = one place of the epoch (thread): the photo whose copies lie there.
struct RepeatedPhoto {
  static constexpr const char* name = "repeated_photo";
  static constexpr Lanes lanes = Lanes::one;
  const int64_t* begin;  // [I + 1] prefix sum of the counts
  int32_t* photo;        // [begin[I]]
  int64_t photos;

  template <class Group>
  TS_HD void operator()(Group, int64_t place) const {
    int64_t low = 0, high = photos - 1;  // the last photo that begins at or before `place`
    while (low < high) {
      const int64_t middle = (low + high + 1) / 2;
      if (begin[middle] <= place) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    photo[place] = static_cast<int32_t>(low);
  }
  Cost cost(int64_t n) const { return {80.0 * double(n), 60.0 * double(n)}; }
};

}  // namespace tailseg
