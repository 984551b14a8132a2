// Max pooling over R x R windows, [N, H, W, C]. Of equal values the first of the window (row by row) wins; a NaN wins
// over everything, so that it is not hidden.
#pragma once

#include "tensor/channel_run.h"

namespace tailseg {

struct PoolSizes {
  int64_t h, w, c;  // input
  int64_t p, q;     // output
  int64_t window, stride, padding;
};

// Both bodies: one item = one run of a pixel's channels (thread): a pack, or up to 64 where a CPU makes vectors of
// them.
template <int64_t kPack>
struct PoolRuns {
  static constexpr int64_t kRun = kPack > 1 ? kPack : 64;
  TS_HD static int64_t of_pixel(const PoolSizes& g) { return (g.c + kRun - 1) / kRun; }
};

// Of output pixels. `tap` remembers which of the window's places won.
template <class Scalar, int64_t kPack = 1>
struct MaxPoolForward {
  static constexpr const char* name = "max_pool_forward";
  static constexpr Lanes lanes = Lanes::one;
  using Real = ComputeType<Scalar>;
  using Runs = PoolRuns<kPack>;
  PoolSizes g;
  const Scalar* x;
  Scalar* y;
  uint8_t* tap;

  template <class Group>
  TS_HD void operator()(Group, int64_t item) const {
    const int64_t c = item % Runs::of_pixel(g) * Runs::kRun;
    pool<Runs::kRun>(item / Runs::of_pixel(g), c, math::min(Runs::kRun, g.c - c));
  }
  Cost cost(int64_t items) const {
    const double outputs = double(items / Runs::of_pixel(g) * g.c),
                 inputs = outputs / double(g.p * g.q) * double(g.h * g.w);
    return {sizeof(Scalar) * (inputs + outputs) + outputs, outputs * double(g.window * g.window)};
  }

 private:
  template <int64_t kRun>
  TS_HD void pool(int64_t item, int64_t c, int64_t count) const {
    const int64_t q = item % g.q, p = item / g.q % g.p, n = item / (g.q * g.p);
    const int64_t top = p * g.stride - g.padding, left = q * g.stride - g.padding;
    // Where all values are the lowest, the window's first place inside the input has won.
    const int64_t first = math::max<int64_t>(-top, 0) * g.window + math::max<int64_t>(-left, 0);
    Real best[kRun];
    int32_t place[kRun];  // as wide as the values, so that one mask of a vector register selects in both
    for (int64_t v = 0; v < kRun; ++v) {
      best[v] = Real(-INFINITY);
      place[v] = static_cast<int32_t>(first);
    }
    for (int64_t r = 0; r < g.window; ++r) {
      if (top + r < 0 || top + r >= g.h) continue;
      for (int64_t s = 0; s < g.window; ++s) {
        if (left + s < 0 || left + s >= g.w) continue;
        const Scalar* pixel = x + ((n * g.h + top + r) * g.w + left + s) * g.c + c;
        const auto here = static_cast<int32_t>(r * g.window + s);
        if constexpr (kRun == kPack) {
          const Pack<Scalar, kPack> pack = read_pack<kPack>(pixel, 0);
          choose<kRun>(best, place, pack.at, here, kRun);
        } else {
          choose<kRun>(best, place, pixel, here, count);
        }
      }
    }
    write_run<kRun, kPack>(y + item * g.c + c, best, count);
    write_run<kRun, kPack>(tap + item * g.c + c, place, count);
  }

  template <int64_t kRun>
  TS_HD static void choose(Real* best, int32_t* place, const Scalar* values, int32_t here, int64_t count) {
    if (count == kRun) {
      for (int64_t v = 0; v < kRun; ++v) choose(best[v], place[v], Real(values[v]), here);
    } else {
      for (int64_t v = 0; v < count; ++v) choose(best[v], place[v], Real(values[v]), here);
    }
  }
  TS_HD static void choose(Real& best, int32_t& place, Real value, int32_t here) {
    const bool wins = (value > best) | (value != value);
    best = wins ? value : best;
    place = wins ? here : place;
  }
};

// Of input pixels: gathers from the windows that the pixel won.
template <class Scalar, int64_t kPack = 1>
struct MaxPoolBackward {
  static constexpr const char* name = "max_pool_backward";
  static constexpr Lanes lanes = Lanes::one;
  using Real = ComputeType<Scalar>;
  using Runs = PoolRuns<kPack>;
  PoolSizes g;
  const Scalar* dy;
  const uint8_t* tap;
  Scalar* dx;

  template <class Group>
  TS_HD void operator()(Group, int64_t item) const {
    const int64_t c = item % Runs::of_pixel(g) * Runs::kRun;
    gather<Runs::kRun>(item / Runs::of_pixel(g), c, math::min(Runs::kRun, g.c - c));
  }
  Cost cost(int64_t items) const {
    const double inputs = double(items / Runs::of_pixel(g) * g.c),
                 outputs = inputs / double(g.h * g.w) * double(g.p * g.q);
    return {sizeof(Scalar) * (inputs + outputs) + outputs, 2 * outputs * double(g.window * g.window)};
  }

 private:
  template <int64_t kRun>
  TS_HD void gather(int64_t item, int64_t c, int64_t count) const {
    const int64_t column = item % g.w, row = item / g.w % g.h, n = item / (g.w * g.h);
    Real sums[kRun] = {};
    for (int64_t r = 0; r < g.window; ++r) {
      const int64_t p = row + g.padding - r;
      if (p < 0 || p % g.stride != 0 || p / g.stride >= g.p) continue;
      for (int64_t s = 0; s < g.window; ++s) {
        const int64_t q = column + g.padding - s;
        if (q < 0 || q % g.stride != 0 || q / g.stride >= g.q) continue;
        const int64_t at = ((n * g.p + p / g.stride) * g.q + q / g.stride) * g.c + c;
        const auto place = static_cast<uint8_t>(r * g.window + s);
        if constexpr (kRun == kPack) {
          const auto taps = read_pack<kPack>(tap + at, 0);
          const auto gradients = read_pack<kPack>(dy + at, 0);
          add_won<kRun>(sums, taps.at, gradients.at, place, kRun);
        } else {
          add_won<kRun>(sums, tap + at, dy + at, place, count);
        }
      }
    }
    write_run<kRun, kPack>(dx + item * g.c + c, sums, count);
  }

  template <int64_t kRun>
  TS_HD static void add_won(Real* sums, const uint8_t* taps, const Scalar* gradients, uint8_t place, int64_t count) {
    const int64_t end = count == kRun ? kRun : count;
    for (int64_t v = 0; v < end; ++v) sums[v] += taps[v] == place ? Real(gradients[v]) : Real(0);
  }
};

}  // namespace tailseg
