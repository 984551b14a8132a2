// Exponential and logarithm for loops over logits: no library call and no branch, so that the compiler turns a loop
// over them into vector instructions (a call of expf for each element costs about ten times as much). float64 uses the
// library: it serves gradient checks. Errors in float32: exp 2 ulp, log1p 3 ulp.
#pragma once

#include "tensor/body.h"

namespace tailseg {

TS_HD inline double exp_of_negative(double x) { return math::exp(x); }
TS_HD inline double log1p_of_unit(double e) { return math::log1p(e); }

// e^x for x <= 0 (x < -87 gives e^-87, about 1.6e-38): x = n log 2 + r, a polynomial for e^r, n into the exponent.
// Coefficients: Cephes, expf (Moshier).
TS_HD inline float exp_of_negative(float x) {
  union {
    float value;
    uint32_t bits;
  } shifted, power;
  const float magic = 12582912.f;  // 1.5 * 2^23: adding it leaves the nearest integer in the low bits
  x = x < -87.f ? -87.f : x;
  shifted.value = x * 1.44269504f + magic;
  const float n = shifted.value - magic;
  const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  power.bits = (shifted.bits << 23) + 0x3f800000u;
  return (p * (r * r) + r + 1.f) * power.value;
}

// log(1 + e) for e in [0, 1]: 2 artanh(s) with s = e / (2 + e) <= 1/3, by its series.
TS_HD inline float log1p_of_unit(float e) {
  const float s = e / (2.f + e), t = s * s;
  float p = 1.f / 15;
  p = p * t + 1.f / 13;
  p = p * t + 1.f / 11;
  p = p * t + 1.f / 9;
  p = p * t + 1.f / 7;
  p = p * t + 1.f / 5;
  p = p * t + 1.f / 3;
  return 2.f * (s + s * t * p);
}

// The Gaussian's distribution, Phi(x): by the complementary error function, so that both tails keep their digits.
TS_HD inline float normal_below(float x) { return 0.5f * ::erfcf(x * -0.70710678f); }
TS_HD inline double normal_below(double x) { return 0.5 * ::erfc(x * -0.70710678118654752); }

template <class Real>
struct ValueAndSlope {
  Real value, slope;
};

// Binary cross-entropy of a logit z against a target t in [0, 1]:
//   -t log sigmoid(z) - (1 - t) log(1 - sigmoid(z)) = max(z, 0) - z t + log(1 + e^-|z|),   slope sigmoid(z) - t.
template <class Real>
TS_HD inline ValueAndSlope<Real> binary_cross_entropy_at(Real z, Real t) {
  const Real e = exp_of_negative(-math::abs(z));
  const Real sigmoid = (z >= Real(0) ? Real(1) : e) / (Real(1) + e);
  return {math::max(z, Real(0)) - z * t + log1p_of_unit(e), sigmoid - t};
}

// Smooth L1 of a difference d: d^2 / (2 beta) where |d| < beta, else |d| - beta / 2. beta = 0 is L1, slope 0 at 0.
template <class Real>
TS_HD inline ValueAndSlope<Real> smooth_l1_at(Real d, Real beta) {
  const Real size = math::abs(d);
  if (size < beta) return {Real(0.5) * d * d / beta, d / beta};
  return {size - Real(0.5) * beta, d > Real(0) ? Real(1) : (d < Real(0) ? Real(-1) : d * Real(0))};
}

}  // namespace tailseg
