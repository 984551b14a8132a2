// The tiles of a layer, and a patch of one: what the forward pass and the filters' gradient share.
#pragma once

#include <algorithm>

#include "tensor/onednn_winograd_tile.h"

namespace tailseg::winograd {

// Which part of an image belongs to a tile: kTile x kTile outputs from (row, column) on.
struct Grid {
  int64_t images, rows, columns;  // of tiles
  Grid(int64_t n, int64_t p, int64_t q) : images(n), rows((p + kTile - 1) / kTile), columns((q + kTile - 1) / kTile) {}
  int64_t tiles() const { return images * rows * columns; }
  int64_t image(int64_t tile) const { return tile / (rows * columns); }
  int64_t row(int64_t tile) const { return tile / columns % rows * kTile; }
  int64_t column(int64_t tile) const { return tile % columns * kTile; }
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

// An image [height, width, channels] read with zeros around it.
struct Image {
  const float* data;
  int64_t height, width, channels;

  // The kSize x kSize pixels from (row, column) on, 16 channels from `channel` on.
  template <int kSize>
  void read(int64_t row, int64_t column, int64_t channel, Lanes (&out)[kSize][kSize]) const {
    const float* corner = data + (row * width + column) * channels + channel;
    if (row >= 0 && column >= 0 && row + kSize <= height && column + kSize <= width) {
#pragma GCC unroll 6
      for (int i = 0; i < kSize; ++i) {
#pragma GCC unroll 6
        for (int j = 0; j < kSize; ++j) out[i][j] = load(corner + (i * width + j) * channels);
      }
      return;
    }
    for (int i = 0; i < kSize; ++i) {
      for (int j = 0; j < kSize; ++j) {
        const bool inside = row + i >= 0 && row + i < height && column + j >= 0 && column + j < width;
        out[i][j] = inside ? load(corner + (i * width + j) * channels) : Lanes{};
      }
    }
  }
};

// The patch of one tile, transformed, into row `row` of the 36 matrices [tiles, channels].
template <int kSize, class Transform>
inline void transform_patch(const Image& image, int64_t y, int64_t x, Transform transform, const Matrices& out,
                            int64_t row) {
  float* first = out.at(0, row);
  const int64_t stride = out.stride();
  for (int64_t channel = 0; channel < image.channels; channel += kLanes) {
    Lanes patch[kSize][kSize], products[kPatch][kPatch];
    image.read(y, x, channel, patch);
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
