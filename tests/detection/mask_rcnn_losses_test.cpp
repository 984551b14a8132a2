// The detector with every classification loss of the list: two steps of training and a prediction, at a small size.
#include <catch2/catch.hpp>
#include <cmath>

#include "detection/losses/loss_list.h"
#include "detection/mask_rcnn.h"
#include "nn/optimizer.h"
#include "tensor/device_calls.h"
#include "tests/detection/loss_check.h"
#include "tests/detection/small_model.h"
#include "tests/devices.h"

using namespace tailseg;

namespace {

constexpr int64_t kClasses = 6, kSide = 64;

MaskRcnnOptions small_model(const LossOptions& loss, bool bfloat16) {
  MaskRcnnOptions options = test::small_detector(kClasses, loss.name(), loss_check::statistics_of(kClasses));
  options.bfloat16 = bfloat16;
  return options;
}

ImageBatch two_images(Context& ctx) {
  const std::vector<double> noise = gradient_check::values(2 * kSide * kSide * 3, 5);
  const Tensor sizes = Tensor::full(ctx, {2, 2}, kSide, DType::int32);
  return {Tensor::from(ctx, {2, kSide, kSide, 3}, std::vector<float>(noise.begin(), noise.end())), sizes, sizes, sizes};
}

TruthBatch three_objects(Context& ctx) {
  TruthBatch truth;
  truth.boxes.boxes =
      Tensor::from(ctx, {2, 2, 4}, std::vector<float>{4, 4, 30, 30, 28, 20, 60, 60, 10, 12, 50, 40, 0, 0, 0, 0});
  truth.boxes.labels = Tensor::from(ctx, {2, 2}, std::vector<int32_t>{0, 5, 3, -1});
  truth.boxes.count = Tensor::from(ctx, {2}, std::vector<int32_t>{2, 1});
  truth.masks.pixels = Tensor::full(ctx, {4 * kSide * kSide}, 1, DType::uint8);
  truth.masks.crops =
      Tensor::from(ctx, {4, 4}, std::vector<int32_t>{0, 0, 64, 64, 0, 0, 64, 64, 0, 0, 64, 64, 0, 0, 64, 64});
  truth.masks.offsets = Tensor::from(ctx, {4}, std::vector<int64_t>{0, 4096, 8192, 12288});
  return truth;
}

void train_and_predict(const bool bfloat16) {
  for (Context* ctx : devices()) {
    for (const auto& loss : loss_list()) {
      INFO(loss->name() << " on " << ctx->device().name());
      std::vector<double> losses[2];
      for (std::vector<double>& run : losses) {
        ParameterStore store(*ctx, 3);
        MaskRcnn model(store, small_model(*loss, bfloat16));
        store.consolidate();
        REQUIRE_NOTHROW(model.class_loss().check_ready(*ctx));
        for (uint32_t step = 0; step < 2; ++step) {
          store.clear_gradients();
          const MaskRcnnLosses out = model.losses(*ctx, two_images(*ctx), three_objects(*ctx), {1, step});
          backward(*ctx, out.total);
          run.push_back(to_doubles(*ctx, out.stages[0].box_class.value())[0]);
          REQUIRE(std::isfinite(run.back()));
          REQUIRE(run.back() > 0);
          const Variable layer = store.find("roi_heads.box_predictor.cls_score.bias")->variable;
          REQUIRE(layer.size(0) == model.class_loss().width());
          double size = 0;
          for (const double g : to_doubles(*ctx, layer.grad())) size += std::abs(g);
          REQUIRE(std::isfinite(size));
          REQUIRE(size > 0);
        }
        if (loss->name() == "equilibrium") {  // sixteen features of each object, twice
          const ParameterEntry* filled = store.find("roi_heads.box_predictor.memory.filled");
          REQUIRE(to_doubles(*ctx, filled->variable.value()) == std::vector<double>{32, 0, 0, 32, 0, 32});
        }
        const Prediction found = model.predict(*ctx, two_images(*ctx));
        for (const double s : to_doubles(*ctx, found.detections.photo.scores)) REQUIRE((s >= 0 && s <= 1));
      }
      REQUIRE(losses[0] == losses[1]);
    }
  }
}

}  // namespace

TEST_CASE("Mask R-CNN trains and predicts with every classification loss, the same way twice") {
  train_and_predict(false);
}

TEST_CASE("Mask R-CNN trains and predicts with every classification loss in bfloat16, the same way twice") {
  train_and_predict(true);
}

TEST_CASE("once warm, a training step asks the system for no memory and never waits for the device") {
  for (Context* ctx : devices()) {
    for (const auto& loss : loss_list()) {
      INFO(loss->name() << " on " << ctx->device().name());
      ParameterStore store(*ctx, 3);
      MaskRcnn model(store, small_model(*loss, false));
      store.consolidate();
      Optimizer optimizer(store, {});
      int64_t waits = 0, asked = 0, live = 0;
      for (uint32_t step = 0; step < 6; ++step) {
        if (step == 3) {
          waits = device_calls::waits();
          asked = ctx->allocator()->figures().system_allocations;
          live = ctx->allocator()->figures().live_bytes;
        }
        store.clear_gradients();
        backward(*ctx, model.losses(*ctx, two_images(*ctx), three_objects(*ctx), {1, step}).total);
        optimizer.step(1e-3);
      }
      CHECK(ctx->allocator()->figures().system_allocations == asked);
      CHECK(ctx->allocator()->figures().live_bytes == live);       // a step keeps nothing
      if (!debug_memory()) CHECK(device_calls::waits() == waits);  // guard bands are read back
    }
  }
}
