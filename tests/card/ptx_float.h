// What PTX does to floating-point values before and after an operation.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace tailseg::card {

template <class T>
T canonical_nan() {
  if constexpr (sizeof(T) == 4)
    return std::bit_cast<float>(0x7fffffffu);
  else
    return std::numeric_limits<double>::quiet_NaN();
}

// .ftz: a subnormal counts as a zero of its sign.
template <bool ftz, class T>
T flushed(T x) {
  if constexpr (ftz && sizeof(T) == 4) {
    return std::abs(x) < std::numeric_limits<float>::min() ? std::copysign(T{0}, x) : x;
  } else {
    return x;
  }
}

// .sat: into [0, 1], NaN to 0. Otherwise every NaN of 32 bits is the same one.
template <bool ftz, bool sat, class T>
T finished(T x) {
  x = flushed<ftz>(x);
  if constexpr (sat) {
    return x > T{0} ? (x < T{1} ? x : T{1}) : T{0};
  } else if constexpr (sizeof(T) == 4) {
    return x != x ? canonical_nan<T>() : x;
  } else {
    return x;
  }
}

}  // namespace tailseg::card
