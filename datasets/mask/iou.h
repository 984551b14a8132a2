// Intersection over union as the COCO API computes it, operation by operation, so that a threshold of exactly 0.5
// falls on the same side. With a crowd ground truth the union is the detection's own area (METHODS 8.5).
#pragma once

#include <array>

#include "datasets/mask/rle.h"

namespace tailseg {

using Box = std::array<double, 4>;  // x, y, width, height

double box_iou(const Box& detection, const Box& truth, bool crowd);

// A mask with what its comparisons ask for again and again.
struct MeasuredMask {
  Rle rle;
  Box box{};
  int64_t area = 0;
  MeasuredMask() = default;
  explicit MeasuredMask(Rle mask) : rle(std::move(mask)), box(rle_box(rle)), area(rle_area(rle)) {}
};

// Requires: both masks have one size.
double mask_iou(const MeasuredMask& detection, const MeasuredMask& truth, bool crowd);

}  // namespace tailseg
