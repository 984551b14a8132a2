// The whole model with bfloat16 features beside itself in float32: losses, gradients, detections, and what stays
// float32. Tolerances: a feature that has passed l layers, each of which rounds filters and result by up to u = 2^-9,
// is off by sqrt(2 l) u of its size when the roundings are independent: 1.2 % after 20. Losses are means of many such
// numbers: 3 %. A gradient loses more: relu's mask flips for the elements whose size is below the error, a share of 0.8
// sqrt(2 l) u of a layer's, and each flip is an error as large as the element. Over the 17 layers of the backbone the
// squares add up to 0.10 of the gradient's, so the cosine is 1 / sqrt(1.10) = 0.95 or more.
#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cmath>

#include "nn/optimizer.h"
#include "tests/detection/small_model.h"
#include "tests/devices.h"

using namespace tailseg;
using namespace tailseg::test;

namespace {

MaskRcnnOptions options_of(bool bfloat16, NormKind norm = NormKind::batch) {
  MaskRcnnOptions options = MaskRcnnOptions::mmdet(5);
  options.bfloat16 = bfloat16;
  options.backbone.depth = 18;
  options.backbone.width = 16;
  options.backbone.norm.kind = norm;
  options.backbone.frozen_stages = norm == NormKind::batch ? -1 : 1;
  options.fpn.channels = 32;
  options.box_head.width = 64;
  options.mask_head.width = 32;
  options.mask_head.convolutions = 2;
  options.anchors.sizes = {{8}, {16}, {32}, {64}, {128}};
  options.mask_targets.rule = MaskTargetRule::polygon;
  return options;
}

struct Step {
  std::vector<float> losses, gradients;
};

Step step(Context& ctx, Model& model, uint32_t number = 0) {
  model.store.clear_gradients();
  const MaskRcnnLosses losses = model.net.losses(ctx, pictures(ctx, 2), squares(ctx, 2, 3, true), {3, number});
  backward(ctx, losses.total);
  model.store.complete_gradients();
  Step out;
  for (const auto& [name, loss] : losses.parts()) {
    REQUIRE(loss.value().dtype() == DType::float32);
    out.losses.push_back(loss.value().to_vector<float>(ctx)[0]);
  }
  out.gradients = model.store.gradients().to_vector<float>(ctx);
  return out;
}

double cosine(const std::vector<float>& a, const std::vector<float>& b) {
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    ab += double(a[i]) * b[i];
    aa += double(a[i]) * a[i];
    bb += double(b[i]) * b[i];
  }
  return ab / std::sqrt(aa * bb);
}

double iou(const float* a, const float* b) {
  const double width = std::max(0.0, double(std::min(a[2], b[2])) - std::max(a[0], b[0]));
  const double height = std::max(0.0, double(std::min(a[3], b[3])) - std::max(a[1], b[1]));
  const auto area = [](const float* box) { return double(box[2] - box[0]) * (box[3] - box[1]); };
  return width * height / (area(a) + area(b) - width * height);
}

}  // namespace

TEST_CASE("a bfloat16 step has float32's losses and the direction of its gradient") {
  for (Context* ctx : devices()) {
    for (const NormKind norm : {NormKind::batch, NormKind::frozen}) {
      INFO(ctx->device().name() << (norm == NormKind::batch ? ", batch norm" : ", frozen norm"));
      MaskRcnnOptions float32 = options_of(false, norm), bfloat16 = options_of(true, norm);
      // The objects themselves are the only RoIs: which proposals survive near-equal scores is another matter.
      float32.train_proposals.smallest = bfloat16.train_proposals.smallest = 1e6;
      Model full(*ctx, float32), mixed(*ctx, bfloat16);
      REQUIRE(full.store.values().to_vector<float>(*ctx) == mixed.store.values().to_vector<float>(*ctx));
      const Step a = step(*ctx, full), b = step(*ctx, mixed);
      for (size_t i = 0; i < a.losses.size(); ++i) {
        INFO("loss " << i);
        CHECK(b.losses[i] == Approx(a.losses[i]).epsilon(0.03));
      }
      CHECK(a.losses != b.losses);  // it did round
      CHECK(cosine(a.gradients, b.gradients) > 0.95);
    }
  }
}

TEST_CASE("bfloat16 training repeats bit by bit and learns as float32 does") {
  for (Context* ctx : devices()) {
    std::vector<std::vector<float>> weights;
    double late[2] = {};  // mean loss of the last ten steps: single steps are at the mercy of which proposals survive
    for (const bool bfloat16 : {true, true, false}) {
      Model model(*ctx, options_of(bfloat16));
      Optimizer optimizer(model.store, {});
      double first = 0;
      late[bfloat16] = 0;
      for (uint32_t i = 0; i < 40; ++i) {
        const Step now = step(*ctx, model, i);
        double total = 0;
        for (const float loss : now.losses) total += loss;
        if (i == 0) first = total;
        if (i >= 30) late[bfloat16] += total / 10;
        optimizer.step(0.01);
      }
      CHECK(late[bfloat16] < 0.3 * first);
      weights.push_back(model.store.values().to_vector<float>(*ctx));
    }
    REQUIRE(weights[0] == weights[1]);
    INFO(late[true] << " in bfloat16, " << late[false] << " in float32");
    CHECK(std::abs(late[true] - late[false]) < 0.1);  // of 3 and more at the beginning
  }
}

TEST_CASE("float32 and bfloat16 predict from the same weights, with float32 scores, boxes and masks") {
  for (Context* ctx : devices()) {
    Model full(*ctx, options_of(false)), mixed(*ctx, options_of(true));
    Optimizer optimizer(full.store, {});
    for (uint32_t i = 0; i < 120; ++i) {
      (void)step(*ctx, full, i);
      optimizer.step(0.01);
    }
    mixed.store.load_state_dict(full.store.state_dict(), "float32's checkpoint");
    const Prediction a = full.net.predict(*ctx, pictures(*ctx, 2)), b = mixed.net.predict(*ctx, pictures(*ctx, 2));
    for (const Tensor* t : {&b.detections.photo.scores, &b.detections.photo.boxes, &b.masks}) {
      REQUIRE(t->dtype() == DType::float32);
    }
    const auto scores_a = a.detections.photo.scores.to_vector<float>(*ctx);
    const auto scores_b = b.detections.photo.scores.to_vector<float>(*ctx);
    const auto boxes_a = a.detections.photo.boxes.to_vector<float>(*ctx);
    const auto boxes_b = b.detections.photo.boxes.to_vector<float>(*ctx);
    const int found = b.detections.photo.count.to_vector<int32_t>(*ctx)[0];
    REQUIRE(a.detections.photo.count.to_vector<int32_t>(*ctx)[0] > 0);
    CHECK(iou(&boxes_a[0], std::array{10.0f, 12.0f, 40.0f, 44.0f}.data()) > 0.5);  // it has learnt the square
    // float32's best detection, among bfloat16's: the order of near-equal scores is another matter.
    size_t twin = 0;
    for (size_t i = 1; i < size_t(found); ++i) {
      if (iou(&boxes_b[4 * i], &boxes_a[0]) > iou(&boxes_b[4 * twin], &boxes_a[0])) twin = i;
    }
    REQUIRE(found > 0);
    CHECK(scores_b[twin] == Approx(scores_a[0]).epsilon(0.03));
    for (size_t i = 0; i < 4; ++i) CHECK(boxes_b[4 * twin + i] == Approx(boxes_a[i]).margin(0.5));
  }
}
