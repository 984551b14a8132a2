// Anchors: the boxes that the region proposal network scores, a fixed few around every cell of every pyramid level.
//
// A base anchor of size s (square root of its area) and ratio r = height / width has width s / sqrt(r) and height
// s * sqrt(r), centred on the cell's corner (x * stride, y * stride): there is no half-pixel offset (METHODS 5.2).
// Order: level, then row, column, base anchor (ratio by ratio, sizes within a ratio) - that of a head's [N, H, W, A]
// output.
#pragma once

#include <vector>

#include "tensor/tensor.h"

namespace tailseg {

constexpr int kMaxLevels = 8;  // of a feature pyramid

struct AnchorOptions {
  std::vector<std::vector<double>> sizes = {{32}, {64}, {128}, {256}, {512}};  // pixels, for each level
  std::vector<double> ratios = {0.5, 1, 2};                                    // height / width
  std::vector<int64_t> strides = {4, 8, 16, 32, 64};                           // pixels, for each level
  bool round_base = false;        // METHODS 5.2 "w,h": base corners rounded to integers (torchvision)
  bool measured_strides = false;  // METHODS 5.2 "centre": padded size // feature size (torchvision), not `strides`
};

struct LevelSize {
  int64_t height = 0, width = 0;  // cells
};

// Where a level's anchors are in the concatenation.
struct AnchorLevel {
  int64_t height = 0, width = 0;       // cells
  int64_t stride_y = 0, stride_x = 0;  // pixels
  int64_t per_cell = 0;
  int64_t first = 0;      // index of the level's first anchor
  int64_t first_row = 0;  // rows of cells in the levels before

  int64_t count() const { return height * width * per_cell; }
};

struct AnchorSet {
  Tensor boxes;  // [A, 4] float32
  std::vector<AnchorLevel> levels;

  int64_t count() const { return boxes.size(0); }
};

// Corners of one level's base anchors around (0, 0), [sizes * ratios][4], computed in float32 as the references do.
std::vector<float> base_anchors(const AnchorOptions& options, size_t level);

// All anchors of an input that is padded_height x padded_width pixels with these feature sizes, finest level first.
// They depend on sizes only: a caller keeps them for as long as the sizes stay.
AnchorSet make_anchors(Context& ctx, const AnchorOptions& options, int64_t padded_height, int64_t padded_width,
                       const std::vector<LevelSize>& feature_sizes);

struct AnchorValidity {
  // METHODS 5.2 "anchors in padding": cells beyond ceil(own padded size / stride) take no part (mmdet). own_sizes
  // [N, 2] int32: height and width of each image padded on its own, before it was padded to its batch. Null: all do.
  const Tensor* own_sizes = nullptr;
  // METHODS 5.2 "anchors outside image": at least 0: only anchors within the image enlarged by this many pixels take
  // part (0 in the cascade configurations). -1: all. image_sizes [N, 2] int32: height and width without padding.
  int64_t allowed_border = -1;
  const Tensor* image_sizes = nullptr;
};

// [N, A] uint8: may this anchor be matched in this image.
Tensor anchor_validity(Context& ctx, const AnchorSet& anchors, int64_t images, const AnchorValidity& rules);

}  // namespace tailseg
