// Bilinear resizing of [N, H, W, C] to [N, P, Q, C], without low-pass filtering when shrinking. Output i of n reads
// around x of m inputs:
//   half pixels    x = max((i + 0.5) * m / n - 0.5, 0)
//   align_corners  x = i * (m - 1) / (n - 1), the corners' centres on each other
// between floor(x) and the next (the last one stays itself), with the fraction as weight.
#pragma once

#include "tensor/channel_run.h"

namespace tailseg {

template <class Real>
struct ResizeAxis {
  int64_t from, to;  // m, n
  Real scale;
  bool align_corners;

  struct Tap {
    int64_t low, high;
    Real fraction;  // of high

    TS_HD Real weight_of(int64_t input) const {
      return (input == low ? Real(1) - fraction : Real(0)) + (input == high ? fraction : Real(0));
    }
  };
  TS_HD Tap tap(int64_t i) const {
    const Real x = align_corners ? scale * Real(i) : math::max(scale * (Real(i) + Real(0.5)) - Real(0.5), Real(0));
    const int64_t low = math::min(static_cast<int64_t>(x), from - 1);
    return {low, math::min(low + 1, from - 1), x - Real(low)};
  }
  // The first output whose lower input is at least `input` (outputs read in order): `to` when there is none.
  TS_HD int64_t first_output(int64_t input) const {
    int64_t begin = 0, end = to;
    while (begin < end) {
      const int64_t middle = (begin + end) / 2;
      if (tap(middle).low < input)
        begin = middle + 1;
      else
        end = middle;
    }
    return begin;
  }
};

// One item = one output pixel; lanes walk the channels.
template <class Scalar>
struct BilinearResizeForward {
  static constexpr const char* name = "bilinear_resize_forward";
  static constexpr Lanes lanes = Lanes::warp;
  using Real = ComputeType<Scalar>;
  ResizeAxis<Real> rows, columns;
  const Scalar* x;
  Scalar* y;
  int64_t channels;

  template <class Group>
  TS_HD void operator()(Group group, int64_t item) const {
    const int64_t n = item / (rows.to * columns.to);
    const auto v = rows.tap(item / columns.to % rows.to), u = columns.tap(item % columns.to);
    const Scalar* top = x + (n * rows.from + v.low) * columns.from * channels;
    const Scalar* bottom = x + (n * rows.from + v.high) * columns.from * channels;
    const int64_t left = u.low * channels, right = u.high * channels;
    Scalar* out = y + item * channels;
    for (int64_t c = group.rank(); c < channels; c += group.size()) {
      const Real above = (Real(1) - u.fraction) * Real(top[left + c]) + u.fraction * Real(top[right + c]);
      const Real below = (Real(1) - u.fraction) * Real(bottom[left + c]) + u.fraction * Real(bottom[right + c]);
      out[c] = Scalar((Real(1) - v.fraction) * above + v.fraction * below);
    }
  }
  Cost cost(int64_t items) const {
    const double inputs = double(items) / double(rows.to * columns.to) * double(rows.from * columns.from);
    return {sizeof(Scalar) * (double(items) + inputs) * double(channels), 9.0 * double(items) * double(channels)};
  }
};

// One item = one input pixel; lanes walk the channels and gather from the outputs that read it.
template <class Scalar>
struct BilinearResizeBackward {
  static constexpr const char* name = "bilinear_resize_backward";
  static constexpr Lanes lanes = Lanes::warp;
  using Real = ComputeType<Scalar>;
  ResizeAxis<Real> rows, columns;
  const Scalar* dy;
  Scalar* dx;
  int64_t channels;

  template <class Group>
  TS_HD void operator()(Group group, int64_t item) const {
    const int64_t n = item / (rows.from * columns.from);
    const int64_t row = item / columns.from % rows.from, column = item % columns.from;
    const int64_t top = rows.first_output(row - 1), bottom = rows.first_output(row + 1);
    const int64_t left = columns.first_output(column - 1), right = columns.first_output(column + 1);
    constexpr int64_t kRun = kChannelRun<Group, 64>;
    for (int64_t c = group.rank() * kRun; c < channels; c += group.size() * kRun) {
      const int64_t count = math::min(kRun, channels - c);
      Real sums[kRun] = {};
      for (int64_t i = top; i < bottom; ++i) {
        const Real down = rows.tap(i).weight_of(row);
        for (int64_t j = left; j < right; ++j) {
          const Real weight = down * columns.tap(j).weight_of(column);
          add_scaled<kRun>(sums, weight, dy + ((n * rows.to + i) * columns.to + j) * channels + c, count);
        }
      }
      for (int64_t v = 0; v < count; ++v) dx[item * channels + c + v] = Scalar(sums[v]);
    }
  }
  Cost cost(int64_t items) const {
    const double outputs = double(items) / double(rows.from * columns.from) * double(rows.to * columns.to);
    return {sizeof(Scalar) * (double(items) + outputs) * double(channels), 8.0 * outputs * double(channels)};
  }
};

}  // namespace tailseg
