#pragma once

#include "tensor/body.h"

namespace tailseg {

// One item = one element.
template <class Scalar>
struct FillElement {
  static constexpr const char* name = "fill";
  static constexpr Lanes lanes = Lanes::one;
  Scalar* to;
  Scalar value;

  template <class Group>
  TS_HD void operator()(Group, int64_t i) const {
    to[i] = value;
  }
  Cost cost(int64_t n) const { return {double(sizeof(Scalar)) * double(n), 0}; }
};

}  // namespace tailseg
