// Sums over the rows of a matrix, column by column: bias gradients, batch statistics. Rows are cut into chunks of fixed
// size, each chunk summed into its own row of `partial`, and the chunks added in order: the same bits at any number of
// threads.
#pragma once

#include "tensor/channel_run.h"

namespace tailseg {

constexpr int64_t kChunkRows = 128;

// One item = one chunk of rows of one tile of columns; lanes walk the tile's packs of columns (contiguous). With y:
// first masks dy where relu's output y is 0. A lane of many keeps its columns' sums in registers while it walks the
// rows; a single lane goes row by row, as the memory lies, its sums in `partial`.
template <class Scalar, int64_t kPack = 1>
struct MaskedColumnSums {
  static constexpr const char* name = "masked_column_sums";
  static constexpr Lanes lanes = Lanes::warp;
  using Real = ComputeType<Scalar>;
  const Scalar* dy;  // [rows, columns]
  const Scalar* y;   // [rows, columns] or null
  Scalar* masked;    // [rows, columns] or null
  Real* partial;     // [chunks, columns] or null
  int64_t rows, columns;
  int64_t chunk_rows = kChunkRows, tile = columns;

  template <class Group>
  TS_HD void operator()(Group group, int64_t item) const {
    const int64_t tiles = (columns + tile - 1) / tile;
    const int64_t chunk = item / tiles, left = item % tiles * tile;
    const int64_t begin = chunk * chunk_rows, end = math::min(begin + chunk_rows, rows);
    const int64_t right = math::min(left + tile, columns);
    if constexpr (Group::kSolo) {
      walk_rows(begin, end, left, right, partial ? partial + chunk * columns : nullptr);
    } else {
      for (int64_t c = left + group.rank() * kPack; c < right; c += group.size() * kPack) {
        Pack<Real, kPack> sums{};
        for (int64_t row = begin; row < end; ++row) add_pack_of((row * columns + c) / kPack, sums.at);
        if (partial) write_pack<kPack>(partial, (chunk * columns + c) / kPack, sums);
      }
    }
  }
  Cost cost(int64_t) const {
    return {sizeof(Scalar) * (y ? 3.0 : 1.0) * double(rows) * double(columns), double(rows) * double(columns)};
  }

 private:
  TS_HD void add_pack_of(int64_t at, Real* sums) const {
    Pack<Scalar, kPack> g = read_pack<kPack>(dy, at);
    if (y) {
      const Pack<Scalar, kPack> kept = read_pack<kPack>(y, at);
      for (int64_t v = 0; v < kPack; ++v) g.at[v] = Real(kept.at[v]) > Real(0) ? g.at[v] : Scalar(Real(0));
      write_pack<kPack>(masked, at, g);
    }
    for (int64_t v = 0; v < kPack; ++v) sums[v] += Real(g.at[v]);
  }

  TS_HD void walk_rows(int64_t begin, int64_t end, int64_t left, int64_t right, Real* sums) const {
    if (sums) {
      for (int64_t c = left; c < right; ++c) sums[c] = Real(0);
    }
    for (int64_t row = begin; row < end; ++row) {
      const int64_t at = row * columns;
      if (y && sums) {
        for (int64_t c = left; c < right; ++c) {
          const Real g = Real(y[at + c]) > Real(0) ? Real(dy[at + c]) : Real(0);
          masked[at + c] = Scalar(g);
          sums[c] += g;
        }
      } else if (y) {
        for (int64_t c = left; c < right; ++c) {
          masked[at + c] = Scalar(Real(y[at + c]) > Real(0) ? Real(dy[at + c]) : Real(0));
        }
      } else {
        for (int64_t c = left; c < right; ++c) sums[c] += Real(dy[at + c]);
      }
    }
  }
};

// One item = one tile of kTile columns of one group of chunks; lanes walk the tile and add the group's chunks in order.
// With a group for all chunks the sums are [columns]; with smaller groups they are [groups, columns], to be added
// again.
template <class Real>
struct AddChunks {
  static constexpr const char* name = "add_chunks";
  static constexpr Lanes lanes = Lanes::warp;
  static constexpr int64_t kTile = 64;
  const Real* partial;  // [chunks, columns]
  Real* sums;           // [groups, columns]
  int64_t chunks, columns;
  int64_t of_group = chunks;

  template <class Group>
  TS_HD void operator()(Group group, int64_t item) const {
    const int64_t tiles = (columns + kTile - 1) / kTile;
    const int64_t mine = item / tiles, left = item % tiles * kTile;
    const int64_t begin = mine * of_group, end = math::min(begin + of_group, chunks);
    const int64_t right = math::min(left + kTile, columns);
    for (int64_t c = left + group.rank(); c < right; c += group.size()) {
      Real total = 0;
      for (int64_t chunk = begin; chunk < end; ++chunk) total += partial[chunk * columns + c];
      sums[mine * columns + c] = total;
    }
  }
  Cost cost(int64_t) const {
    return {sizeof(Real) * double(chunks) * double(columns), double(chunks) * double(columns)};
  }
};

}  // namespace tailseg
