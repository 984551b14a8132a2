// Random boxes for the tests of this folder.
#pragma once

#include <random>
#include <vector>

#include "detection/box_set.h"

namespace tailseg {

// count boxes within [0, size], at least one pixel wide and high; multiples of `step` when it is above 0, so that
// overlaps tie.
inline std::vector<float> random_boxes(int64_t count, float size, unsigned seed, float step = 0) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> place(0, 0.9f * size), extent(1, size / 3);
  std::vector<float> boxes;
  for (int64_t i = 0; i < count; ++i) {
    float x = place(random), y = place(random), w = extent(random), h = extent(random);
    if (step > 0) {
      x = std::floor(x / step) * step;
      y = std::floor(y / step) * step;
      w = std::floor(w / step + 1) * step;
      h = std::floor(h / step + 1) * step;
    }
    boxes.insert(boxes.end(), {x, y, std::min(x + w, size), std::min(y + h, size)});
  }
  return boxes;
}

inline std::vector<double> widened(const std::vector<float>& values) { return {values.begin(), values.end()}; }

// [N, P] boxes with these counts.
inline BoxSet box_set(Context& ctx, int64_t images, int64_t capacity, const std::vector<float>& boxes,
                      const std::vector<int32_t>& counts) {
  BoxSet set;
  set.boxes = Tensor::from(ctx, {images, capacity, 4}, boxes);
  set.count = Tensor::from(ctx, {images}, counts);
  return set;
}

}  // namespace tailseg
