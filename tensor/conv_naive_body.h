// Convolution as its definition says, the slow reference of the libraries' versions and the body for float64.
//   y[n,p,q,k]  = sum over r,s,c of x[n, p*stride - pad + r*dil, q*stride - pad + s*dil, c] * w[k,r,s,c]
// With groups, c runs over the channels of k's group only, and w's c counts from that group's first.
#pragma once

#include "tensor/body.h"

namespace tailseg {

struct ConvSizes {
  int64_t n, h, w, c;  // input
  int64_t k, r, s;     // filters [k, r, s, c / groups]
  int64_t p, q;        // output
  int64_t stride, padding, dilation;
  int64_t groups = 1;

  TS_HD int64_t inputs() const { return c / groups; }   // channels in of one group
  TS_HD int64_t outputs() const { return k / groups; }  // channels out of one group
  TS_HD double products() const {
    return double(n) * double(p) * double(q) * double(k) * double(r) * double(s) * double(inputs());
  }
  double values() const {  // of input, filters and output: each must move once
    return double(n) * double(h) * double(w) * double(c) + double(k) * double(r) * double(s) * double(inputs()) +
           double(n) * double(p) * double(q) * double(k);
  }
};

// One item = one output element; lanes walk the input channels of each tap.
template <class Scalar>
struct ConvForwardNaive {
  static constexpr const char* name = "conv_forward_naive";
  static constexpr Lanes lanes = Lanes::warp;
  ConvSizes g;
  const Scalar* x;
  const Scalar* w;
  const ComputeType<Scalar>* bias;  // [k] or null
  const Scalar* residual;           // as y or null
  Scalar* y;
  bool relu;

  template <class Group>
  TS_HD void operator()(Group group, int64_t item) const {
    using Real = ComputeType<Scalar>;
    const int64_t k = item % g.k, q = item / g.k % g.q, p = item / (g.k * g.q) % g.p, n = item / (g.k * g.q * g.p);
    const int64_t inputs = g.inputs(), first = k / g.outputs() * inputs;
    Real total = 0;
    for (int64_t r = 0; r < g.r; ++r) {
      const int64_t row = p * g.stride - g.padding + r * g.dilation;
      if (row < 0 || row >= g.h) continue;
      for (int64_t s = 0; s < g.s; ++s) {
        const int64_t column = q * g.stride - g.padding + s * g.dilation;
        if (column < 0 || column >= g.w) continue;
        const Scalar* pixel = x + ((n * g.h + row) * g.w + column) * g.c + first;
        const Scalar* tap = w + ((k * g.r + r) * g.s + s) * inputs;
        for (int64_t c = group.rank(); c < inputs; c += group.size()) total += Real(pixel[c]) * Real(tap[c]);
      }
    }
    total = group.sum(total);
    if (bias) total += bias[k];
    if (residual) total += Real(residual[item]);
    if (relu) total = math::max(total, Real(0));
    if (group.rank() == 0) y[item] = Scalar(total);
  }
  Cost cost(int64_t) const { return {sizeof(Scalar) * g.values(), 2 * g.products()}; }
};

// One item = one input element; lanes walk the output channels of each tap. A gather: no item writes another's element.
template <class Scalar>
struct ConvBackwardDataNaive {
  static constexpr const char* name = "conv_backward_data_naive";
  static constexpr Lanes lanes = Lanes::warp;
  ConvSizes g;
  const Scalar* dy;
  const Scalar* w;
  const ComputeType<Scalar>* bias;  // [c] or null: a transposed convolution's
  Scalar* dx;
  bool relu;

  template <class Group>
  TS_HD void operator()(Group group, int64_t item) const {
    using Real = ComputeType<Scalar>;
    const int64_t c = item % g.c, column = item / g.c % g.w, row = item / (g.c * g.w) % g.h,
                  n = item / (g.c * g.w * g.h);
    const int64_t inputs = g.inputs(), first = c / inputs * g.outputs();
    Real total = 0;
    for (int64_t r = 0; r < g.r; ++r) {
      const int64_t p = row + g.padding - r * g.dilation;
      if (p < 0 || p % g.stride != 0 || p / g.stride >= g.p) continue;
      for (int64_t s = 0; s < g.s; ++s) {
        const int64_t q = column + g.padding - s * g.dilation;
        if (q < 0 || q % g.stride != 0 || q / g.stride >= g.q) continue;
        const Scalar* gradient = dy + ((n * g.p + p / g.stride) * g.q + q / g.stride) * g.k;
        for (int64_t k = first + group.rank(); k < first + g.outputs(); k += group.size()) {
          total += Real(gradient[k]) * Real(w[((k * g.r + r) * g.s + s) * inputs + c % inputs]);
        }
      }
    }
    total = group.sum(total);
    if (bias) total += bias[c];
    if (relu) total = math::max(total, Real(0));
    if (group.rank() == 0) dx[item] = Scalar(total);
  }
  Cost cost(int64_t) const { return {sizeof(Scalar) * g.values(), 2 * g.products()}; }
};

// One item = one filter element; lanes walk the output pixels of each row.
template <class Scalar>
struct ConvBackwardFilterNaive {
  static constexpr const char* name = "conv_backward_filter_naive";
  static constexpr Lanes lanes = Lanes::warp;
  ConvSizes g;
  const Scalar* x;
  const Scalar* dy;
  ComputeType<Scalar>* dw;

  template <class Group>
  TS_HD void operator()(Group group, int64_t item) const {
    using Real = ComputeType<Scalar>;
    const int64_t inputs = g.inputs(), s = item / inputs % g.s, r = item / (inputs * g.s) % g.r;
    const int64_t k = item / (inputs * g.s * g.r), c = k / g.outputs() * inputs + item % inputs;
    Real total = 0;
    for (int64_t n = 0; n < g.n; ++n) {
      for (int64_t p = 0; p < g.p; ++p) {
        const int64_t row = p * g.stride - g.padding + r * g.dilation;
        if (row < 0 || row >= g.h) continue;
        for (int64_t q = group.rank(); q < g.q; q += group.size()) {
          const int64_t column = q * g.stride - g.padding + s * g.dilation;
          if (column < 0 || column >= g.w) continue;
          total += Real(x[((n * g.h + row) * g.w + column) * g.c + c]) * Real(dy[((n * g.p + p) * g.q + q) * g.k + k]);
        }
      }
    }
    total = group.sum(total);
    if (group.rank() == 0) dw[item] = total;
  }
  Cost cost(int64_t) const { return {sizeof(Scalar) * g.values(), 2 * g.products()}; }
};

}  // namespace tailseg
