// Captured predictions are those of MaskRcnn::predict at fixed sizes, bit by bit: photos that change, two shapes in
// turn, weights that change, and photos whose candidates do not end with the first chunk.
#include "detection/captured_prediction.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "tensor/elementwise.h"
#include "tests/detection/loss_check.h"
#include "tests/detection/small_model.h"
#include "tests/devices.h"

using namespace tailseg;

namespace {

constexpr int64_t kClasses = 6, kImages = 2;

ImageBatch photos(Context& ctx, int64_t height, int64_t width, int seed) {
  std::vector<float> pixels(static_cast<size_t>(kImages * height * width * 3));
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<float>(std::sin(0.31 * double(i % (997 + seed))));
  std::vector<int32_t> sizes, seen;
  for (int n = 0; n < kImages; ++n) {
    sizes.insert(sizes.end(), {static_cast<int32_t>(height - 3 * n), static_cast<int32_t>(width - seed)});
    seen.insert(seen.end(), {static_cast<int32_t>(2 * height), static_cast<int32_t>(2 * width + seed)});
  }
  const Tensor inside = Tensor::from(ctx, {kImages, 2}, sizes);
  return {Tensor::from(ctx, {kImages, height, width, 3}, pixels), inside,
          Tensor::from(ctx, {kImages, 2},
                       std::vector<int32_t>{int32_t(height), int32_t(width), int32_t(height), int32_t(width)}),
          Tensor::from(ctx, {kImages, 2}, seen)};
}

std::vector<std::vector<float>> values(Context& ctx, const Prediction& p) {
  const BoxSet& photo = p.detections.photo;
  std::vector<std::vector<float>> all{photo.boxes.to_vector<float>(ctx), photo.scores.to_vector<float>(ctx),
                                      p.detections.network_boxes.to_vector<float>(ctx), p.masks.to_vector<float>(ctx)};
  for (const Tensor& whole : {photo.labels, photo.count}) {
    const std::vector<int32_t> numbers = whole.to_vector<int32_t>(ctx);
    all.emplace_back(numbers.begin(), numbers.end());
  }
  return all;
}

struct Counts {
  int64_t replays, repeated, found;
};

Counts compare(Context& ctx, const MaskRcnnOptions& options) {
  ParameterStore store(ctx, 5);
  MaskRcnn model(store, options);
  store.consolidate();
  CapturedPrediction captured(ctx, model);
  Counts counts{};
  for (int i = 0; i < 8; ++i) {
    INFO("photos " << i);
    const ImageBatch images = i % 3 == 1 ? photos(ctx, 64, 96, i) : photos(ctx, 64, 64, i);
    const auto expected = values(ctx, model.predict(ctx, images));
    const Prediction got = captured.run(images);
    REQUIRE(values(ctx, got) == expected);
    for (float count : expected.back()) counts.found += int64_t(count);
    if (i == 4) {  // as if a step of training had come in between
      for (const auto& entry : store.entries()) {
        const Tensor& value = entry.variable.value();
        if (!entry.buffer) value.copy_from(ctx, scale(ctx, value, 1.1));
      }
      store.make_working();
    }
  }
  counts.replays = captured.replays();
  counts.repeated = captured.repeated();
  return counts;
}

}  // namespace

TEST_CASE("a captured prediction has the bits of a plain one") {
  for (const Context* device : devices()) {
    Context ctx(device->device(), {.fixed_sizes = true});
    INFO(ctx.device().name());
    MaskRcnnOptions options = test::small_detector(kClasses, "softmax", loss_check::statistics_of(kClasses));
    options.postprocess.score_threshold = 0.01;
    SECTION("one chunk is enough") {
      const Counts counts = compare(ctx, options);
      REQUIRE(counts.replays == 6);  // two shapes, each seen once as it is
      REQUIRE(counts.repeated == 0);
      REQUIRE(counts.found > 20);
    }
    SECTION("a chunk that is too small") {
      options.postprocess.chunk = 3;
      const Counts counts = compare(ctx, options);
      REQUIRE(counts.replays == 6);
      REQUIRE(counts.repeated == 6);
      REQUIRE(counts.found > 20);
    }
    SECTION("bfloat16") {
      options.bfloat16 = true;
      REQUIRE(compare(ctx, options).replays == 6);
    }
  }
}

TEST_CASE("a prediction is captured at fixed sizes only") {
  Context ctx(Device{}, {.fixed_sizes = false});
  ParameterStore store(ctx, 5);
  MaskRcnn model(store, test::small_detector(kClasses, "softmax", loss_check::statistics_of(kClasses)));
  REQUIRE_THROWS_WITH(CapturedPrediction(ctx, model), Catch::Contains("fixed sizes"));
}
