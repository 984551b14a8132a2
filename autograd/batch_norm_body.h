// Batch normalisation over the rows of [rows, columns] (rows = N*H*W, columns = channels), fused with what follows it:
//   xhat = (x - mean) / sqrt(var + eps),  y = relu(gamma * xhat + beta + residual)
// Statistics: every chunk of rows has its mean and its sum of squared deviations; chunks are merged in order (Chan et
// al. 1979), which loses nothing when |mean| is large against the deviation.
#pragma once

#include "autograd/columns_body.h"
#include "tensor/body.h"

namespace tailseg {

// One item = one chunk of rows; lanes walk the columns.
template <class Scalar>
struct BatchNormChunk {
  static constexpr const char* name = "batch_norm_chunk";
  static constexpr Lanes lanes = Lanes::block;
  using Real = ComputeType<Scalar>;
  const Scalar* x;
  Real* mean;       // [chunks, columns]
  Real* deviation;  // [chunks, columns], sum of squares about the chunk's mean
  int64_t rows, columns;

  template <class Group>
  TS_HD void operator()(Group group, int64_t chunk) const {
    const int64_t begin = chunk * kChunkRows;
    const int64_t end = math::min(begin + kChunkRows, rows);
    Real* m = mean + chunk * columns;
    Real* d = deviation + chunk * columns;
    for (int64_t c = group.rank(); c < columns; c += group.size()) m[c] = d[c] = Real(0);
    for (int64_t row = begin; row < end; ++row) {
      for (int64_t c = group.rank(); c < columns; c += group.size()) m[c] += Real(x[row * columns + c]);
    }
    const Real share = Real(1) / Real(end - begin);
    for (int64_t c = group.rank(); c < columns; c += group.size()) m[c] *= share;
    for (int64_t row = begin; row < end; ++row) {
      for (int64_t c = group.rank(); c < columns; c += group.size()) {
        const Real off = Real(x[row * columns + c]) - m[c];
        d[c] += off * off;
      }
    }
  }
  Cost cost(int64_t) const { return {sizeof(Scalar) * double(rows * columns), 4.0 * double(rows * columns)}; }
};

// One item = one tile of 64 columns; lanes walk the tile. Merges the chunks and moves the running statistics:
//   running = (1 - momentum) * running + momentum * batch, with the unbiased variance (as PyTorch).
template <class Real>
struct BatchNormMerge {
  static constexpr const char* name = "batch_norm_merge";
  static constexpr Lanes lanes = Lanes::warp;
  static constexpr int64_t kTile = 64;
  const Real* chunk_mean;
  const Real* chunk_deviation;
  Real* mean;          // [columns]
  Real* rstd;          // [columns], 1 / sqrt(var + eps)
  Real* running_mean;  // [columns]
  Real* running_var;   // [columns]
  int64_t chunks, rows, columns;
  double eps, momentum;

  template <class Group>
  TS_HD void operator()(Group group, int64_t tile) const {
    const int64_t count = math::min(kTile, columns - tile * kTile);
    for (int64_t i = group.rank(); i < count; i += group.size()) {
      const int64_t c = tile * kTile + i;
      Real m = 0, d = 0, seen = 0;
      for (int64_t chunk = 0; chunk < chunks; ++chunk) {
        const Real size = Real(math::min(kChunkRows, rows - chunk * kChunkRows));
        const Real off = chunk_mean[chunk * columns + c] - m;
        const Real total = seen + size;
        m += off * (size / total);
        d += chunk_deviation[chunk * columns + c] + off * off * (seen * size / total);
        seen = total;
      }
      mean[c] = m;
      rstd[c] = Real(1) / math::sqrt(d / seen + Real(eps));
      const Real unbiased = seen > Real(1) ? d / (seen - Real(1)) : d / seen;
      running_mean[c] += Real(momentum) * (m - running_mean[c]);
      running_var[c] += Real(momentum) * (unbiased - running_var[c]);
    }
  }
  Cost cost(int64_t) const { return {2.0 * sizeof(Real) * double(chunks * columns), 8.0 * double(chunks * columns)}; }
};

// One item = one row; lanes walk the columns.
template <class Scalar>
struct BatchNormApply {
  static constexpr const char* name = "batch_norm_apply";
  static constexpr Lanes lanes = Lanes::warp;
  using Real = ComputeType<Scalar>;
  const Scalar* x;
  const Real* mean;
  const Real* rstd;
  const Real* gamma;
  const Real* beta;
  const Scalar* residual;  // or null
  Scalar* y;
  int64_t columns;
  bool relu;

  template <class Group>
  TS_HD void operator()(Group group, int64_t row) const {
    const int64_t at = row * columns;
    for (int64_t c = group.rank(); c < columns; c += group.size()) {
      Real value = (Real(x[at + c]) - mean[c]) * (rstd[c] * gamma[c]) + beta[c];
      if (residual) value += Real(residual[at + c]);
      y[at + c] = Scalar(relu && value <= Real(0) ? Real(0) : value);
    }
  }
  Cost cost(int64_t rows) const {
    return {(residual ? 3.0 : 2.0) * sizeof(Scalar) * double(rows * columns), 4.0 * double(rows * columns)};
  }
};

// One item = one chunk of rows; lanes walk the columns. dbeta = sum g, dgamma = sum g * xhat, g = dy where y > 0.
template <class Scalar>
struct BatchNormSums {
  static constexpr const char* name = "batch_norm_sums";
  static constexpr Lanes lanes = Lanes::block;
  using Real = ComputeType<Scalar>;
  const Scalar* dy;
  const Scalar* y;  // or null: no relu
  const Scalar* x;
  const Real* mean;
  const Real* rstd;
  Scalar* masked;  // g, or null when y is
  Real* dbeta;     // [chunks, columns]
  Real* dgamma;    // [chunks, columns]
  int64_t rows, columns;

  template <class Group>
  TS_HD void operator()(Group group, int64_t chunk) const {
    const int64_t begin = chunk * kChunkRows;
    const int64_t end = math::min(begin + kChunkRows, rows);
    Real* db = dbeta + chunk * columns;
    Real* dg = dgamma + chunk * columns;
    for (int64_t c = group.rank(); c < columns; c += group.size()) db[c] = dg[c] = Real(0);
    for (int64_t row = begin; row < end; ++row) {
      const int64_t at = row * columns;
      if (y) {
        for (int64_t c = group.rank(); c < columns; c += group.size()) {
          masked[at + c] = Scalar(Real(y[at + c]) > Real(0) ? Real(dy[at + c]) : Real(0));
        }
      }
      const Scalar* source = (y ? masked : dy) + at;  // each lane reads back what it wrote itself
      for (int64_t c = group.rank(); c < columns; c += group.size()) {
        db[c] += Real(source[c]);
        dg[c] += Real(source[c]) * (Real(x[at + c]) - mean[c]) * rstd[c];
      }
    }
  }
  Cost cost(int64_t) const {
    return {(y ? 4.0 : 2.0) * sizeof(Scalar) * double(rows * columns), 6.0 * double(rows * columns)};
  }
};

// One item = one row; lanes walk the columns. dx = gamma * rstd * (g - dbeta/rows - xhat * dgamma/rows).
template <class Scalar>
struct BatchNormInput {
  static constexpr const char* name = "batch_norm_input";
  static constexpr Lanes lanes = Lanes::warp;
  using Real = ComputeType<Scalar>;
  const Scalar* g;
  const Scalar* x;
  const Real* mean;
  const Real* rstd;
  const Real* gamma;
  const Real* dbeta;
  const Real* dgamma;
  Scalar* dx;
  int64_t rows, columns;

  template <class Group>
  TS_HD void operator()(Group group, int64_t row) const {
    const int64_t at = row * columns;
    const Real share = Real(1) / Real(rows);
    for (int64_t c = group.rank(); c < columns; c += group.size()) {
      const Real xhat = (Real(x[at + c]) - mean[c]) * rstd[c];
      dx[at + c] = Scalar(gamma[c] * rstd[c] * (Real(g[at + c]) - share * (dbeta[c] + xhat * dgamma[c])));
    }
  }
  Cost cost(int64_t items) const {
    return {3.0 * sizeof(Scalar) * double(items * columns), 7.0 * double(items * columns)};
  }
};

}  // namespace tailseg
