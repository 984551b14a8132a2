// A Mask R-CNN that is small enough to be made for each test case, and pictures of 64 x 64 for it.
#pragma once

#include <cmath>
#include <vector>

#include "detection/mask_rcnn.h"

namespace tailseg::test {

inline constexpr int64_t kSide = 64;

struct Model {
  ParameterStore store;
  MaskRcnn net;
  Model(Context& ctx, const MaskRcnnOptions& options) : store(ctx, 7), net(store, options) { store.consolidate(); }
};

inline ImageBatch pictures(Context& ctx, int64_t images) {
  std::vector<float> pixels(static_cast<size_t>(images * kSide * kSide * 3));
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<float>(std::sin(0.013 * double(i * i % 1009)));
  const Tensor size = Tensor::from(ctx, {images, 2}, std::vector<int32_t>(static_cast<size_t>(images * 2), kSide));
  return {Tensor::from(ctx, {images, kSide, kSide, 3}, pixels), size, size, size};
}

}  // namespace tailseg::test
