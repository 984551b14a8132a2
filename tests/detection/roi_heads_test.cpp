// How the second half of the detector is put together, seen in its losses: what is matched with what, where bitmaps
// end, when a memory is filled. Objects are the only RoIs here: no proposal is as large as is asked for.
#include "detection/roi_heads.h"

#include <catch2/catch.hpp>

#include "tests/detection/small_model.h"
#include "tests/devices.h"

using namespace tailseg;
using namespace tailseg::test;

namespace {

MaskRcnnOptions only_objects(const std::string& loss = "softmax") {
  MaskRcnnOptions options = small_detector(4, loss, {});
  options.train_proposals.smallest = 1e6;
  return options;
}

// One image whose objects fill the left half of their boxes.
TruthBatch half_filled(Context& ctx, const std::vector<std::array<int32_t, 4>>& boxes,
                       const std::vector<int32_t>& labels) {
  const auto count = static_cast<int64_t>(boxes.size());
  std::vector<float> corners;
  std::vector<int32_t> crops;
  std::vector<int64_t> offsets;
  std::vector<uint8_t> pixels;
  for (const auto& [x1, y1, x2, y2] : boxes) {
    corners.insert(corners.end(), {float(x1), float(y1), float(x2), float(y2)});
    crops.insert(crops.end(), {x1, y1, (x2 - x1) / 2, y2 - y1});
    offsets.push_back(static_cast<int64_t>(pixels.size()));
    pixels.insert(pixels.end(), static_cast<size_t>((x2 - x1) / 2 * (y2 - y1)), 1);
  }
  TruthBatch truth;
  truth.boxes.boxes = Tensor::from(ctx, {1, count, 4}, corners);
  truth.boxes.labels = Tensor::from(ctx, {1, count}, labels);
  truth.boxes.count = Tensor::from(ctx, {1}, std::vector<int32_t>{static_cast<int32_t>(count)});
  truth.masks.pixels = Tensor::from(ctx, {static_cast<int64_t>(pixels.size())}, pixels);
  truth.masks.crops = Tensor::from(ctx, {count, 4}, crops);
  truth.masks.offsets = Tensor::from(ctx, {count}, offsets);
  return truth;
}

StageLosses first_step(Context& ctx, const MaskRcnnOptions& options, const ImageBatch& images,
                       const TruthBatch& truth) {
  Model model(ctx, options);  // the same weights each time
  return model.net.losses(ctx, images, truth, {3, 0}).stages[0];
}

float value(Context& ctx, const Variable& loss) { return loss.value().to_vector<float>(ctx)[0]; }

}  // namespace

TEST_CASE("two objects with one box keep their classes where ground truth joins after matching, as in mmdet") {
  for (Context* ctx : devices()) {
    const auto loss = [&](const MaskRcnnOptions& options, const std::vector<int32_t>& labels) {
      const std::vector<std::array<int32_t, 4>> boxes(labels.size(), {10, 12, 40, 44});
      return value(*ctx, first_step(*ctx, options, pictures(*ctx, 1), half_filled(*ctx, boxes, labels)).box_class);
    };
    MaskRcnnOptions options = only_objects();
    const float first = loss(options, {0}), second = loss(options, {2});
    REQUIRE(std::abs(first - second) > 1e-4f);
    CHECK(loss(options, {0, 2}) == Approx((first + second) / 2).epsilon(1e-6));
    // detectron2 and torchvision match the objects' boxes with the others: both go to the first object.
    options.truth_place = TruthPlace::last;
    options.roi_matcher.low_quality = LowQuality::off;
    CHECK(loss(options, {0, 2}) == Approx(first).epsilon(1e-6));
  }
}

TEST_CASE("bitmaps end with the image's own padding, or with the image, never with the batch") {
  for (Context* ctx : devices()) {
    // The object leaves the image; the batch of 64 x 64 is larger than both.
    const TruthBatch truth = half_filled(*ctx, {{8, 8, 60, 60}}, {1});
    const auto loss = [&](const MaskRcnnOptions& options, int32_t size, int32_t padded) {
      ImageBatch images = pictures(*ctx, 1);
      images.sizes = Tensor::from(*ctx, {1, 2}, std::vector<int32_t>{size, size});
      images.padded_sizes = Tensor::from(*ctx, {1, 2}, std::vector<int32_t>{padded, padded});
      return value(*ctx, first_step(*ctx, options, images, truth).mask);
    };
    MaskRcnnOptions options = only_objects();
    REQUIRE(options.mask_frame_is_padded);
    CHECK(loss(options, 40, 48) == loss(options, 44, 48));
    CHECK(loss(options, 40, 48) != loss(options, 40, 64));
    options.mask_frame_is_padded = false;
    CHECK(loss(options, 40, 48) != loss(options, 44, 48));
    CHECK(loss(options, 40, 48) == loss(options, 40, 64));
  }
}

TEST_CASE("a step's own features are in the memory before rows are drawn from it, as in LOCE's code") {
  for (Context* ctx : devices()) {
    const MaskRcnnOptions options = only_objects("equilibrium");
    const TruthBatch truth = half_filled(*ctx, {{10, 12, 40, 44}}, {1});
    const auto counts = first_step(*ctx, options, pictures(*ctx, 1), truth).box_counts.to_vector<int32_t>(*ctx);
    CHECK(counts[0] == 1 + 8 * 4);  // the object, and eight draws of its class with four features each
  }
}
