// y = max(x, 0). The gradient passes where y > 0; where y is 0 it is 0.
// One item = one pack of elements (thread).
#pragma once

#include "tensor/body.h"
#include "tensor/pack.h"

namespace tailseg {

template <class Scalar, int64_t kPack = 1>
struct ReluForward {
  static constexpr const char* name = "relu_forward";
  static constexpr Lanes lanes = Lanes::one;
  using Real = ComputeType<Scalar>;
  const Scalar* x;
  Scalar* y;

  template <class Group>
  TS_HD void operator()(Group, int64_t i) const {
    const auto relu = [](Scalar element) {
      const Real value = Real(element);
      return Scalar(value > Real(0) ? value : (value <= Real(0) ? Real(0) : value));  // NaN stays NaN
    };
    map_pack<kPack>(i, y, relu, x);
  }
  Cost cost(int64_t n) const { return {2.0 * sizeof(Scalar) * kPack * n, 1.0 * kPack * n}; }
};

template <class Scalar, int64_t kPack = 1>
struct ReluBackward {
  static constexpr const char* name = "relu_backward";
  static constexpr Lanes lanes = Lanes::one;
  using Real = ComputeType<Scalar>;
  const Scalar* dy;
  const Scalar* y;
  Scalar* dx;

  template <class Group>
  TS_HD void operator()(Group, int64_t i) const {
    const auto f = [](Scalar g, Scalar at) { return Scalar(Real(at) > Real(0) ? Real(g) : Real(0)); };
    map_pack<kPack>(i, dx, f, dy, y);
  }
  Cost cost(int64_t n) const { return {3.0 * sizeof(Scalar) * kPack * n, 1.0 * kPack * n}; }
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
