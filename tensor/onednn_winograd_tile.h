// The one-dimensional transforms of Winograd's F(4, 3), applied to 16 channels at a time.
//
// A correlation of 6 inputs with 3 taps gives 4 outputs: y = A^T [(G g) * (B^T x)], 6 products in place of 12, and 36
// in place of 144 in two dimensions. The three matrices interpolate at the points 0, a, -a, b, -b and infinity. The
// gradient of the taps is a correlation of the same 6 inputs with 4 output gradients giving 3 taps: it shares B^T, with
// the G and A of F(3, 4). Source: Lavin and Gray, Fast Algorithms for Convolutional Neural Networks (2015).
#pragma once

#include <cstdint>

namespace tailseg::winograd {

constexpr int kTile = 4;                   // outputs of a tile, each way
constexpr int kTaps = 3;                   // filter, each way
constexpr int kPatch = kTile + kTaps - 1;  // inputs of a tile, each way
constexpr int kProducts = kPatch * kPatch;
constexpr int64_t kLanes = 16;  // channels at a time

// One AVX-512 register or several smaller ones, as the compiler sees fit. Any float's address will do.
typedef float Lanes __attribute__((vector_size(64), aligned(4), may_alias));

// The points decide the rounding error. Relative L2 against float64, standard normal inputs, 64 / 256 / 512 channels:
// (5/8, 3/2) 0.8e-6 / 1.4e-6 / 1.5e-6, (1/2, 3/2) 1.0 / 1.9 / 1.8, (1, 2) 1.7 / 3.1 / 3.2; a direct sum has 0.2e-6.
constexpr float a = 0.625f, b = 1.5f;
constexpr float a2 = a * a, b2 = b * b;
// One over the product of a point's differences to the other points.
constexpr float n0 = 1 / (a2 * b2), na = 1 / (2 * a2 * (a2 - b2)), nb = 1 / (2 * b2 * (b2 - a2));

inline Lanes load(const float* from) { return *reinterpret_cast<const Lanes*>(from); }
inline void store(float* to, const Lanes& x) { *reinterpret_cast<Lanes*>(to) = x; }

// B^T: 6 inputs.
inline void transform_input(const Lanes* x, Lanes* t) {
  const Lanes even_a = x[4] - b2 * x[2], odd_a = a * (x[3] - b2 * x[1]);
  const Lanes even_b = x[4] - a2 * x[2], odd_b = b * (x[3] - a2 * x[1]);
  t[0] = (a2 * b2) * x[0] - (a2 + b2) * x[2] + x[4];
  t[1] = even_a + odd_a;
  t[2] = even_a - odd_a;
  t[3] = even_b + odd_b;
  t[4] = even_b - odd_b;
  t[5] = (a2 * b2) * x[1] - (a2 + b2) * x[3] + x[5];
}

// A^T of F(4, 3): 6 products to 4 outputs.
inline void transform_output(const Lanes* t, Lanes* y) {
  const Lanes sum_a = t[1] + t[2], difference_a = t[1] - t[2], sum_b = t[3] + t[4], difference_b = t[3] - t[4];
  y[0] = t[0] + sum_a + sum_b;
  y[1] = a * difference_a + b * difference_b;
  y[2] = a2 * sum_a + b2 * sum_b;
  y[3] = (a * a2) * difference_a + (b * b2) * difference_b + t[5];
}

// G of F(4, 3): 3 taps.
inline void transform_taps(const Lanes* g, Lanes* t) {
  const Lanes even_a = na * (g[0] + a2 * g[2]), odd_a = (na * a) * g[1];
  const Lanes even_b = nb * (g[0] + b2 * g[2]), odd_b = (nb * b) * g[1];
  t[0] = n0 * g[0];
  t[1] = even_a + odd_a;
  t[2] = even_a - odd_a;
  t[3] = even_b + odd_b;
  t[4] = even_b - odd_b;
  t[5] = g[2];
}

// G of F(3, 4): 4 output gradients.
inline void transform_gradient(const Lanes* y, Lanes* t) {
  const Lanes even_a = na * (y[0] + a2 * y[2]), odd_a = (na * a) * (y[1] + a2 * y[3]);
  const Lanes even_b = nb * (y[0] + b2 * y[2]), odd_b = (nb * b) * (y[1] + b2 * y[3]);
  t[0] = n0 * y[0];
  t[1] = even_a + odd_a;
  t[2] = even_a - odd_a;
  t[3] = even_b + odd_b;
  t[4] = even_b - odd_b;
  t[5] = y[3];
}

// A^T of F(3, 4): 6 products to the gradients of 3 taps.
inline void transform_taps_gradient(const Lanes* t, Lanes* g) {
  const Lanes sum_a = t[1] + t[2], sum_b = t[3] + t[4];
  g[0] = t[0] + sum_a + sum_b;
  g[1] = a * (t[1] - t[2]) + b * (t[3] - t[4]);
  g[2] = a2 * sum_a + b2 * sum_b + t[5];
}

// Applies a one-dimensional transform to the columns and then to the rows of a block [In, In] -> [Out, Out].
template <int kIn, int kOut, class Transform>
inline void transform_both(const Lanes (&in)[kIn][kIn], Lanes (&out)[kOut][kOut], Transform transform) {
  Lanes half[kOut][kIn];
#pragma GCC unroll 6
  for (int column = 0; column < kIn; ++column) {
    Lanes from[kIn], to[kOut];
#pragma GCC unroll 6
    for (int row = 0; row < kIn; ++row) from[row] = in[row][column];
    transform(from, to);
#pragma GCC unroll 6
    for (int row = 0; row < kOut; ++row) half[row][column] = to[row];
  }
#pragma GCC unroll 6
  for (int row = 0; row < kOut; ++row) transform(half[row], out[row]);
}

}  // namespace tailseg::winograd
