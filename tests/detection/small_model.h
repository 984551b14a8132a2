// A Mask R-CNN that is small enough to be made for each test case, and pictures of 64 x 64 with squares on them
// for it.
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

// A few seconds' worth of every part, for tests that train it with many losses.
inline MaskRcnnOptions small_detector(int64_t classes, const std::string& loss, const ClassStatistics& statistics) {
  MaskRcnnOptions options = MaskRcnnOptions::mmdet(classes);
  options.backbone.depth = 18;
  options.backbone.width = 8;
  options.fpn.channels = 16;
  options.box_head.width = options.mask_head.width = 16;
  options.mask_head.convolutions = 1;
  options.train_proposals.per_level = options.train_proposals.most = 64;
  options.test_proposals.per_level = options.test_proposals.most = 32;
  options.roi_sampler.total = 32;
  options.postprocess.score_threshold = 0;
  options.box_head.loss.type = loss;
  options.box_head.statistics = statistics;
  return options;
}

inline ImageBatch pictures(Context& ctx, int64_t images) {
  std::vector<float> pixels(static_cast<size_t>(images * kSide * kSide * 3));
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<float>(std::sin(0.013 * double(i * i % 1009)));
  const Tensor size = Tensor::from(ctx, {images, 2}, std::vector<int32_t>(static_cast<size_t>(images * 2), kSide));
  return {Tensor::from(ctx, {images, kSide, kSide, 3}, pixels), size, size, size};
}

// One square of class `label` in each image, or none at all.
inline TruthBatch squares(Context& ctx, int64_t images, int32_t label, bool any) {
  const int64_t capacity = any ? 1 : 0;
  TruthBatch truth;
  std::vector<float> boxes, points;
  std::vector<int32_t> begin{0}, labels, counts;
  for (int64_t n = 0; n < images; ++n) {
    counts.push_back(static_cast<int32_t>(capacity));
    if (!any) continue;
    boxes.insert(boxes.end(), {10, 12, 40, 44});
    points.insert(points.end(), {10, 12, 40, 12, 40, 44, 10, 44});
    begin.push_back(static_cast<int32_t>(points.size() / 2));
    labels.push_back(label);
  }
  truth.boxes.boxes = Tensor::from(ctx, {images, capacity, 4}, boxes);
  truth.boxes.labels = Tensor::from(ctx, {images, capacity}, labels);
  truth.boxes.count = Tensor::from(ctx, {images}, counts);
  std::vector<int32_t> instances;
  for (int64_t i = 0; i <= images * capacity; ++i) instances.push_back(static_cast<int32_t>(i));
  truth.masks.points = Tensor::from(ctx, {static_cast<int64_t>(points.size() / 2), 2}, points);
  truth.masks.polygon_begin = Tensor::from(ctx, {static_cast<int64_t>(begin.size())}, begin);
  truth.masks.instance_begin = Tensor::from(ctx, {static_cast<int64_t>(instances.size())}, instances);
  return truth;
}

}  // namespace tailseg::test
