// The order of sort.h as a number: larger number, earlier place.
#pragma once

#include <cstdint>

#include "tensor/math.h"

namespace tailseg {

// Grows with the key: negative numbers have all bits flipped, the others the sign bit. NaN is 1, below -infinity; 0 is
// left for "no key here". -0 counts as +0.
template <class Unsigned, class Real>
TS_HD inline Unsigned ordered_bits(Real key) {
  static_assert(sizeof(Unsigned) == sizeof(Real));
  constexpr Unsigned kSign = Unsigned{1} << (sizeof(Unsigned) * 8 - 1);
  if (key != key) return 1;
  if (key == Real(0)) return kSign;
  union {
    Real real;
    Unsigned bits;
  } pun;
  pun.real = key;
  return (pun.bits & kSign) ? ~pun.bits : (pun.bits | kSign);
}

}  // namespace tailseg
