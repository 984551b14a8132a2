// The whole model at the edges: no ground truth, no proposals, no RoI, one class and a long tail of them.
#include "detection/mask_rcnn.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "tests/detection/small_model.h"
#include "tests/devices.h"

using namespace tailseg;
using namespace tailseg::test;

namespace {

MaskRcnnOptions small_options(int64_t classes) {
  MaskRcnnOptions options = MaskRcnnOptions::mmdet(classes);
  options.backbone.depth = 18;
  options.backbone.width = 8;
  options.backbone.norm.kind = NormKind::batch;
  options.backbone.frozen_stages = -1;
  options.fpn.channels = 16;
  options.box_head.width = 32;
  options.mask_head.width = 16;
  options.mask_head.convolutions = 1;
  options.anchors.sizes = {{8}, {16}, {32}, {64}, {128}};
  options.mask_targets.rule = MaskTargetRule::polygon;
  return options;
}

// All five losses after a step forward and back: finite, and with finite gradients.
std::vector<float> step(Context& ctx, Model& model, const ImageBatch& images, const TruthBatch& truth) {
  const MaskRcnnLosses losses = model.net.losses(ctx, images, truth, {3, 1});
  backward(ctx, losses.total);
  model.store.complete_gradients();
  std::vector<float> values;
  for (const auto& [name, loss] : losses.parts()) {
    INFO(name);
    values.push_back(loss.value().to_vector<float>(ctx)[0]);
    REQUIRE(std::isfinite(values.back()));
  }
  int64_t wrong = 0;
  for (const float g : model.store.gradients().to_vector<float>(ctx)) wrong += !std::isfinite(g);
  REQUIRE(wrong == 0);
  return values;  // class, box, mask, RPN class, RPN box
}

}  // namespace

TEST_CASE("a step without ground truth has losses of the background only") {
  for (Context* ctx : devices()) {
    Model model(*ctx, small_options(3));
    const auto losses = step(*ctx, model, pictures(*ctx, 2), squares(*ctx, 2, 0, false));
    REQUIRE(losses[0] > 0);
    REQUIRE(losses[1] == 0);
    REQUIRE(losses[2] == 0);
    REQUIRE(losses[3] > 0);
    REQUIRE(losses[4] == 0);
  }
  REQUIRE(live_nodes() == 0);
}

TEST_CASE("a step in which no RoI is left, not even the truth, still trains the RPN") {
  for (Context* ctx : devices()) {
    MaskRcnnOptions options = small_options(3);
    options.train_proposals.smallest = 1e6;  // no proposal is that large
    Model model(*ctx, options);
    const auto losses = step(*ctx, model, pictures(*ctx, 1), squares(*ctx, 1, 0, false));
    REQUIRE(losses[0] == 0);
    REQUIRE(losses[1] == 0);
    REQUIRE(losses[2] == 0);
    REQUIRE(losses[3] > 0);
  }
}

TEST_CASE("one class, and a long tail of 1203, train and predict") {
  for (Context* ctx : devices()) {
    for (const int64_t classes : {1, 1203}) {
      for (const bool agnostic : {false, true}) {
        INFO(classes << " classes, agnostic " << agnostic);
        MaskRcnnOptions options = small_options(classes);
        options.box_head.class_agnostic = options.mask_head.class_agnostic = agnostic;
        options.postprocess.score_threshold = 0;
        options.postprocess.max_detections = 20;
        Model model(*ctx, options);
        const ImageBatch images = pictures(*ctx, 2);
        const auto losses = step(*ctx, model, images, squares(*ctx, 2, static_cast<int32_t>(classes - 1), true));
        REQUIRE(losses[0] > 0);
        REQUIRE(losses[0] < 3 * std::log(double(classes + 1)));
        REQUIRE(losses[1] > 0);
        REQUIRE(losses[2] > 0);
        const Prediction found = model.net.predict(*ctx, images);
        const auto count = found.detections.photo.count.to_vector<int32_t>(*ctx);
        REQUIRE(count == std::vector<int32_t>{20, 20});
        for (const int32_t label : found.detections.photo.labels.to_vector<int32_t>(*ctx)) {
          REQUIRE((label >= 0 && label < classes));
        }
        for (const float p : found.masks.to_vector<float>(*ctx)) REQUIRE((p >= 0 && p <= 1));
      }
    }
  }
}

TEST_CASE("a photo in which nothing is proposed has no detections") {
  for (Context* ctx : devices()) {
    MaskRcnnOptions options = small_options(3);
    options.test_proposals.smallest = 1e6;
    Model model(*ctx, options);
    const Prediction found = model.net.predict(*ctx, pictures(*ctx, 2));
    REQUIRE(found.detections.photo.count.to_vector<int32_t>(*ctx) == std::vector<int32_t>{0, 0});
    REQUIRE(model.net.propose(*ctx, pictures(*ctx, 1)).count.to_vector<int32_t>(*ctx) == std::vector<int32_t>{0});
  }
}

TEST_CASE("a step gives the same bits when run again, and the same losses at any number of threads") {
  std::vector<std::vector<float>> all;
  for (const int threads : {1, 2, 3, 1, 2, 3}) {
    Context ctx({}, {threads, MathMode::float32});
    Model model(ctx, small_options(5));
    std::vector<float> out = step(ctx, model, pictures(ctx, 2), squares(ctx, 2, 4, true));
    const std::vector<float> gradients = model.store.gradients().to_vector<float>(ctx);
    out.insert(out.end(), gradients.begin(), gradients.end());
    all.push_back(out);
  }
  for (size_t i = 0; i < 3; ++i) REQUIRE(all[i] == all[i + 3]);
  for (size_t loss = 0; loss < 5; ++loss) {
    REQUIRE(all[1][loss] == Approx(all[0][loss]).epsilon(1e-4));
    REQUIRE(all[2][loss] == Approx(all[0][loss]).epsilon(1e-4));
  }
}

TEST_CASE("batches that do not fit are refused by name") {
  Context& ctx = cpu_context();
  Model model(ctx, small_options(3));
  ImageBatch images = pictures(ctx, 2);
  TruthBatch truth = squares(ctx, 2, 0, true);
  REQUIRE_THROWS_AS(model.net.losses(ctx, images, squares(ctx, 1, 0, true), {}), Error);
  truth.masks = {};
  REQUIRE_THROWS_WITH(model.net.losses(ctx, images, truth, {}), Catch::Contains("polygons"));
  images.sizes = Tensor::zeros(ctx, {1, 2}, DType::int32);
  REQUIRE_THROWS_WITH(model.net.predict(ctx, images), Catch::Contains("sizes") && Catch::Contains("[1, 2]"));
  REQUIRE_THROWS_WITH(Model(ctx, small_options(0)), Catch::Contains("0 classes"));
}
