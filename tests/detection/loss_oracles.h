// Pieces of the losses' equations in long double, for oracles: written from METHODS 1, with no code of detection/.
#pragma once

#include "tests/detection/loss_check.h"

namespace tailseg::loss_check {

struct Point {
  Long value, slope;
};

// -log of one probability of a two-way decision and its derivative by z.
using Activation = std::function<Point(Long z, bool positive)>;

inline Point sigmoid_point(Long z, bool positive) {
  const Long p = 1 / (1 + std::exp(-z)), rest = 1 / (1 + std::exp(z));
  return positive ? Point{-std::log(p), -rest} : Point{-std::log(rest), p};
}

// METHODS 1.12. The published gradient goes through p: (p - y) / max(p (1 - p), 1e-12) * p e^-z.
inline Point gumbel_point(Long z, bool positive, Long low, Long high, bool published) {
  const Long at = std::min(std::max(z, low), high), t = std::exp(-at), p = std::exp(-t), rest = -std::expm1(-t);
  Point out = positive ? Point{t, -t} : Point{-std::log(rest), t / std::expm1(t)};
  if (!positive && p < 1e-3L) out.value = -std::log1p(-p);
  if (published) {
    out.value = std::min(out.value, Long(100));
    if (p * rest < 1e-12L) out.slope = (positive ? -rest : p) / 1e-12L * p * t;
  }
  if (z < low || z > high) out.slope = 0;
  return out;
}

// sum_r sum_j weight(r, j) activation(z_rj, [j = y_r]) / N over the first `columns` columns.
inline Expected binary_oracle(const Input& in, const Activation& activation,
                              const std::function<Long(int64_t row, int64_t column)>& weight) {
  Expected out = in.nothing();
  Long total = 0;
  for (int64_t r = 0; r < in.rows(); ++r) {
    if (in.label(r) < 0) continue;
    for (int64_t j = 0; j < in.width; ++j) {
      const Point p = activation(in.at(r, j), j == in.label(r));
      const Long w = weight(r, j);
      total += w * p.value;
      out.gradient[size_t(r * in.width + j)] = double(w * p.slope / in.normaliser());
    }
  }
  out.loss = double(total / in.normaliser());
  return out;
}

inline Long one(int64_t, int64_t) { return 1; }

// log sum_j e^(z_j + shift_j) over columns [first, first + n) of a row, without overflow.
inline Long log_sum(const Input& in, int64_t row, int64_t first, int64_t n, const std::vector<Long>& shift = {}) {
  Long sum = 0;  // long double reaches e^11000
  for (int64_t j = 0; j < n; ++j) sum += std::exp(in.at(row, first + j) + (shift.empty() ? 0 : shift[size_t(j)]));
  return std::log(sum);
}

}  // namespace tailseg::loss_check
