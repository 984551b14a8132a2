// Sums over the rows of a matrix, column by column: bias gradients, batch statistics. Rows are cut into chunks of fixed
// size, each chunk summed into its own row of `partial`, and the chunks added in order: the same bits at any number of
// threads.
#pragma once

#include "tensor/body.h"

namespace tailseg {

constexpr int64_t kChunkRows = 128;

// One item = one chunk of rows; lanes walk the columns (contiguous). With y: first masks dy where relu's output y is 0.
template <class Scalar>
struct MaskedColumnSums {
  static constexpr const char* name = "masked_column_sums";
  static constexpr Lanes lanes = Lanes::block;
  using Real = ComputeType<Scalar>;
  const Scalar* dy;  // [rows, columns]
  const Scalar* y;   // [rows, columns] or null
  Scalar* masked;    // [rows, columns] or null
  Real* partial;     // [chunks, columns] or null
  int64_t rows, columns;

  template <class Group>
  TS_HD void operator()(Group group, int64_t chunk) const {
    const int64_t begin = chunk * kChunkRows;
    const int64_t end = math::min(begin + kChunkRows, rows);
    Real* sums = partial ? partial + chunk * columns : nullptr;
    if (partial) {
      for (int64_t c = group.rank(); c < columns; c += group.size()) sums[c] = Real(0);
    }
    for (int64_t row = begin; row < end; ++row) {
      const int64_t at = row * columns;
      if (y && partial) {
        for (int64_t c = group.rank(); c < columns; c += group.size()) {
          const Real g = Real(y[at + c]) > Real(0) ? Real(dy[at + c]) : Real(0);
          masked[at + c] = Scalar(g);
          sums[c] += g;
        }
      } else if (y) {
        for (int64_t c = group.rank(); c < columns; c += group.size()) {
          masked[at + c] = Scalar(Real(y[at + c]) > Real(0) ? Real(dy[at + c]) : Real(0));
        }
      } else {
        for (int64_t c = group.rank(); c < columns; c += group.size()) sums[c] += Real(dy[at + c]);
      }
    }
  }
  Cost cost(int64_t) const {
    return {sizeof(Scalar) * (y ? 3.0 : 1.0) * double(rows) * double(columns), double(rows) * double(columns)};
  }
};

// One item = one tile of kTile columns; lanes walk the tile and add the chunks in order.
template <class Real>
struct AddChunks {
  static constexpr const char* name = "add_chunks";
  static constexpr Lanes lanes = Lanes::warp;
  static constexpr int64_t kTile = 64;
  const Real* partial;  // [chunks, columns]
  Real* sums;           // [columns]
  int64_t chunks, columns;

  template <class Group>
  TS_HD void operator()(Group group, int64_t tile) const {
    const int64_t begin = tile * kTile;
    const int64_t count = math::min(kTile, columns - begin);
    for (int64_t c = group.rank(); c < count; c += group.size()) {
      Real total = 0;
      for (int64_t chunk = 0; chunk < chunks; ++chunk) total += partial[chunk * columns + begin + c];
      sums[begin + c] = total;
    }
  }
  Cost cost(int64_t) const {
    return {sizeof(Real) * double(chunks) * double(columns), double(chunks) * double(columns)};
  }
};

}  // namespace tailseg
