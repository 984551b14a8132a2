// The tiles of a layer, and a patch of one: what the forward pass and the filters' gradient share.
#pragma once

#include <algorithm>

#include "tensor/onednn_winograd_tile.h"

namespace tailseg::winograd {

// One axis of a batch of images laid out for tiles of kTile outputs. Images either start a tile each, or lie on one
// canvas with `padding` empty lines between them, which serve as the padding of both neighbours: 14 outputs and a line
// are 3.75 tiles in place of 4. The canvas has the same lines for inputs and outputs.
struct Axis {
  int64_t cells;   // images along the axis
  int64_t inputs;  // lines of an image
  int64_t outputs;
  int64_t padding;
  bool on_canvas;

  int64_t pitch() const { return inputs + padding; }
  int64_t tiles_of_cell() const { return (outputs + kTile - 1) / kTile; }
  int64_t tiles() const {
    return on_canvas ? ((cells - 1) * pitch() + outputs + kTile - 1) / kTile : cells * tiles_of_cell();
  }
};

struct Line {
  int64_t cell;  // which image along the axis
  int64_t at;    // its line, or -1 outside every image
};

// The lines from tile `tile`'s first output plus `shift` on; an image has `size` of them.
template <int kCount>
inline void find_lines(const Axis& axis, int64_t tile, int64_t shift, int64_t size, Line (&lines)[kCount]) {
  int64_t cell = 0, at = tile * kTile + shift;
  if (axis.on_canvas) {
    cell = at < 0 ? 0 : at / axis.pitch();
    at -= cell * axis.pitch();
  } else {
    cell = tile / axis.tiles_of_cell();
    at -= cell * axis.tiles_of_cell() * kTile;
  }
  for (int i = 0; i < kCount; ++i, ++at) {
    if (axis.on_canvas && at == axis.pitch()) {
      at = 0;
      ++cell;
    }
    lines[i] = {cell, cell < axis.cells && at >= 0 && at < size ? at : -1};
  }
}

// The pixels of one patch, counted over the whole batch, or -1 outside.
template <int kSize>
struct Pixels {
  int64_t at[kSize][kSize];  // only [0][0] is set when the patch is whole
  bool whole;                // all inside one image: [i][j] is at [0][0] + i * width + j
};

// Which part of which image belongs to a tile.
class Grid {
 public:
  // Input [n, h, w], output [n, p, q].
  Grid(int64_t n, int64_t h, int64_t w, int64_t p, int64_t q, int64_t padding)
      : images_(n), height_{n, h, p, padding, false}, width_{1, w, q, padding, false} {
    // The number of images in a row of the canvas that needs the fewest tiles.
    for (int64_t across = 1; padding > 0 && across <= n && across <= 64; ++across) {
      const Axis down{(n + across - 1) / across, h, p, padding, true}, sideways{across, w, q, padding, true};
      if (down.tiles() * sideways.tiles() < tiles()) height_ = down, width_ = sideways;
    }
  }

  int64_t tiles() const { return height_.tiles() * width_.tiles(); }
  Pixels<kPatch> inputs(int64_t tile) const {
    return pixels<kPatch>(tile, -height_.padding, height_.inputs, width_.inputs);
  }
  Pixels<kTile> outputs(int64_t tile) const { return pixels<kTile>(tile, 0, height_.outputs, width_.outputs); }

 private:
  template <int kSize>
  Pixels<kSize> pixels(int64_t tile, int64_t shift, int64_t height, int64_t width) const {
    Line rows[kSize], columns[kSize];
    find_lines(height_, tile / width_.tiles(), shift, height, rows);
    find_lines(width_, tile % width_.tiles(), shift, width, columns);
    const auto pixel = [&](const Line& row, const Line& column) {
      const int64_t image = row.cell * width_.cells + column.cell;
      const bool inside = row.at >= 0 && column.at >= 0 && image < images_;
      return inside ? (image * height + row.at) * width + column.at : -1;
    };
    Pixels<kSize> out;
    out.at[0][0] = pixel(rows[0], columns[0]);
    out.whole = out.at[0][0] >= 0 && rows[kSize - 1].at == rows[0].at + kSize - 1 &&
                columns[kSize - 1].at == columns[0].at + kSize - 1;
    if (out.whole) return out;
    for (int i = 0; i < kSize; ++i) {
      for (int j = 0; j < kSize; ++j) out.at[i][j] = pixel(rows[i], columns[j]);
    }
    return out;
  }

  int64_t images_;
  Axis height_, width_;
};

// A row of 36 matrices in one block of memory. Their distance is odd in cache lines: at a power of two all 36 would
// share a few sets of the caches (measured: the filters' transform is five times slower).
struct Matrices {
  float* data;
  int64_t rows, columns;
  static constexpr int64_t kGap = 16;

  static int64_t stride(int64_t rows, int64_t columns) { return rows * columns + kGap; }
  static size_t bytes(int64_t rows, int64_t columns, int64_t count = kProducts) {
    return sizeof(float) * static_cast<size_t>(count * stride(rows, columns));
  }
  int64_t stride() const { return stride(rows, columns); }
  float* at(int64_t product, int64_t row) const { return data + product * stride() + row * columns; }
};

// 16 channels of a patch's pixels, zeros outside. data is the batch's [pixels, channels] from the first of them on.
template <int kSize>
inline void read_pixels(const float* data, int64_t channels, int64_t width, const Pixels<kSize>& pixels,
                        Lanes (&out)[kSize][kSize]) {
  if (pixels.whole) {
    const float* corner = data + pixels.at[0][0] * channels;
#pragma GCC unroll 6
    for (int i = 0; i < kSize; ++i) {
#pragma GCC unroll 6
      for (int j = 0; j < kSize; ++j) out[i][j] = load(corner + (i * width + j) * channels);
    }
    return;
  }
  for (int i = 0; i < kSize; ++i) {
    for (int j = 0; j < kSize; ++j) {
      out[i][j] = pixels.at[i][j] >= 0 ? load(data + pixels.at[i][j] * channels) : Lanes{};
    }
  }
}

// A patch of images [.., width, channels], transformed, into row `row` of the 36 matrices [tiles, channels].
template <int kSize, class Transform>
inline void transform_patch(const float* data, int64_t width, const Pixels<kSize>& pixels, Transform transform,
                            const Matrices& out, int64_t row) {
  float* first = out.at(0, row);
  const int64_t stride = out.stride(), channels = out.columns;
  for (int64_t channel = 0; channel < channels; channel += kLanes) {
    Lanes patch[kSize][kSize], products[kPatch][kPatch];
    read_pixels(data + channel, channels, width, pixels, patch);
    transform_both<kSize, kPatch>(patch, products, transform);
#pragma GCC unroll 36
    for (int e = 0; e < kProducts; ++e) store(first + e * stride + channel, products[e / kPatch][e % kPatch]);
  }
}

// How many threads take a share of the 36 products: the largest divisor of 36 that is not above `threads`.
inline int product_shares(int threads) {
  int shares = std::clamp(threads, 1, kProducts);
  while (kProducts % shares != 0) --shares;
  return shares;
}

}  // namespace tailseg::winograd
