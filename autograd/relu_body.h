// y = max(x, 0). The gradient passes where y > 0; where y is 0 it is 0.
#pragma once

#include "tensor/body.h"

namespace tailseg {

template <class Scalar>
struct ReluForward {
  static constexpr const char* name = "relu_forward";
  static constexpr Lanes lanes = Lanes::one;
  const Scalar* x;
  Scalar* y;
  template <class Group>
  TS_HD void operator()(Group, int64_t i) const {
    using Real = ComputeType<Scalar>;
    const Real value = Real(x[i]);
    y[i] = Scalar(value > Real(0) ? value : (value <= Real(0) ? Real(0) : value));  // NaN stays NaN
  }
  Cost cost(int64_t n) const { return {2.0 * sizeof(Scalar) * n, 1.0 * n}; }
};

template <class Scalar>
struct ReluBackward {
  static constexpr const char* name = "relu_backward";
  static constexpr Lanes lanes = Lanes::one;
  const Scalar* dy;
  const Scalar* y;
  Scalar* dx;
  template <class Group>
  TS_HD void operator()(Group, int64_t i) const {
    using Real = ComputeType<Scalar>;
    dx[i] = Scalar(Real(y[i]) > Real(0) ? Real(dy[i]) : Real(0));
  }
  Cost cost(int64_t n) const { return {3.0 * sizeof(Scalar) * n, 1.0 * n}; }
};

// Copies one scalar to every element.
template <class Scalar>
struct BroadcastScalar {
  static constexpr const char* name = "broadcast_scalar";
  static constexpr Lanes lanes = Lanes::one;
  const Scalar* from;
  Scalar* to;
  template <class Group>
  TS_HD void operator()(Group, int64_t i) const {
    to[i] = from[0];
  }
  Cost cost(int64_t n) const { return {1.0 * sizeof(Scalar) * n, 0}; }
};

}  // namespace tailseg
