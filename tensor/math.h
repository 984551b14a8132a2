// The few words that let one function run on the host and on the device: TS_HD and scalar mathematics.
// With group.h and launch.h this is the only file that may look at __CUDACC__ (a test greps).
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

#if defined(__CUDACC__)
#define TS_HD __host__ __device__
#else
#define TS_HD
#endif

namespace tailseg::math {

template <class T>
TS_HD inline T min(T a, T b) {
  return b < a ? b : a;
}
template <class T>
TS_HD inline T max(T a, T b) {
  return a < b ? b : a;
}
template <class T>
TS_HD inline T clamp(T x, T low, T high) {
  return x < low ? low : (high < x ? high : x);
}
TS_HD inline float exp(float x) { return ::expf(x); }
TS_HD inline double exp(double x) { return ::exp(x); }
TS_HD inline float log(float x) { return ::logf(x); }
TS_HD inline double log(double x) { return ::log(x); }
TS_HD inline float log2(float x) { return ::log2f(x); }
TS_HD inline double log2(double x) { return ::log2(x); }
TS_HD inline float log1p(float x) { return ::log1pf(x); }
TS_HD inline double log1p(double x) { return ::log1p(x); }
TS_HD inline float expm1(float x) { return ::expm1f(x); }
TS_HD inline double expm1(double x) { return ::expm1(x); }
TS_HD inline float pow(float x, float y) { return ::powf(x, y); }
TS_HD inline double pow(double x, double y) { return ::pow(x, y); }
TS_HD inline float sqrt(float x) { return ::sqrtf(x); }
TS_HD inline double sqrt(double x) { return ::sqrt(x); }
TS_HD inline float floor(float x) { return ::floorf(x); }
TS_HD inline double floor(double x) { return ::floor(x); }
TS_HD inline float ceil(float x) { return ::ceilf(x); }
TS_HD inline double ceil(double x) { return ::ceil(x); }
template <class T>
TS_HD inline T abs(T x) {
  return x < T(0) ? -x : x;
}
TS_HD inline bool finite(float x) { return abs(x) <= std::numeric_limits<float>::max(); }    // false for NaN
TS_HD inline bool finite(double x) { return abs(x) <= std::numeric_limits<double>::max(); }  // false for NaN

// The place of the lowest bit that is set (x is not 0), and how many are set.
TS_HD inline int lowest_bit(uint64_t x) {
#if defined(__CUDA_ARCH__)
  return __ffsll(static_cast<long long>(x)) - 1;
#else
  return __builtin_ctzll(x);
#endif
}
TS_HD inline int lowest_bit(uint32_t x) {
#if defined(__CUDA_ARCH__)
  return __ffs(static_cast<int>(x)) - 1;
#else
  return __builtin_ctz(x);
#endif
}
TS_HD inline int count_bits(uint64_t x) {
#if defined(__CUDA_ARCH__)
  return __popcll(x);
#else
  return __builtin_popcountll(x);
#endif
}

// Products and sums that are rounded one by one on every device. nvcc fuses a*b+c by default; where a comparison for
// equality hangs on the last bit (IoU ties in the matcher, METHODS 11.8) the bodies spell the order with these.
TS_HD inline float mul_rounded(float a, float b) {
#if defined(__CUDA_ARCH__)
  return __fmul_rn(a, b);
#else
  return a * b;
#endif
}
TS_HD inline double mul_rounded(double a, double b) {
  return a * b;
}  // float64 is host only, built without contraction

template <class T>
TS_HD inline T sigmoid(T x) {
  const T e = exp(-abs(x));  // never overflows
  return x >= T(0) ? T(1) / (T(1) + e) : e / (T(1) + e);
}

// log(1 + exp(x)) without overflow.
template <class T>
TS_HD inline T softplus(T x) {
  return max(x, T(0)) + log1p(exp(-abs(x)));
}

}  // namespace tailseg::math
