// A calibration step and dual-head inference in a whole detector, with one stage and with three: what is trained, from
// which rows, and whose scores come out.
#include <catch2/catch.hpp>

#include "autograd/arithmetic.h"
#include "detection/losses/loss_list.h"
#include "detection/mask_rcnn.h"
#include "tests/detection/small_model.h"
#include "tests/devices.h"

using namespace tailseg;
using namespace tailseg::test;

namespace {

constexpr int64_t kClasses = 5;

MaskRcnnOptions small_options(bool cascade, std::optional<CalibrationOptions> calibration) {
  MaskRcnnOptions options = MaskRcnnOptions::mmdet(kClasses);
  options.backbone.depth = 18;
  options.backbone.width = 8;
  options.backbone.norm.kind = NormKind::batch;
  options.backbone.frozen_stages = -1;
  options.fpn.channels = 8;
  if (cascade) {
    options.cascade = CascadeOptions::mmdet();
    options.box_head.class_agnostic = true;
  }
  options.box_head.width = 16;
  options.mask_head.width = 8;
  options.mask_head.convolutions = 1;
  options.anchors.sizes = {{8}, {16}, {32}, {64}, {128}};
  options.train_proposals.most = 40;
  options.test_proposals.most = 30;
  options.roi_sampler.total = 16;
  options.box_head.statistics = {{3, 30, 300, 3000, 30000}, {4, 40, 400, 4000, 40000}, 50000};
  options.calibration = std::move(calibration);
  return options;
}

// Squares of class 1 and class 3 in each image.
TruthBatch squares(Context& ctx, int64_t images) {
  TruthBatch truth;
  std::vector<float> boxes;
  std::vector<int32_t> labels;
  for (int64_t n = 0; n < images; ++n) {
    boxes.insert(boxes.end(), {4, 6, 30, 34, 34, 30, 60, 58});
    labels.insert(labels.end(), {1, 3});
  }
  truth.boxes.boxes = Tensor::from(ctx, {images, 2, 4}, boxes);
  truth.boxes.labels = Tensor::from(ctx, {images, 2}, labels);
  truth.boxes.count = Tensor::full(ctx, {images}, 2, DType::int32);
  return truth;
}

CalibrationOptions with(CalibratedKind head, bool drawn_class_only, DualInference inference = DualInference::select) {
  CalibrationOptions options;
  options.head = head;
  options.drawn_class_only = drawn_class_only;
  options.dual.inference = inference;
  return options;
}

CalibrationLosses losses(Context& ctx, Model& model, const std::vector<int32_t>& drawn_for) {
  const auto images = static_cast<int64_t>(drawn_for.size());
  return model.net.calibration_losses(ctx, pictures(ctx, images), squares(ctx, images),
                                      Tensor::from(ctx, {images}, drawn_for), {3, 1});
}

float value(Context& ctx, const Variable& loss) { return loss.value().to_vector<float>(ctx)[0]; }

// The scores of a model's proposals, one row each.
std::vector<float> scores(Context& ctx, Model& model) {
  std::vector<float> out;
  model.net.predict(ctx, pictures(ctx, 1), [&](const BoxSet&, const Tensor& all) {
    out = all.to_vector<float>(ctx);
    return all;
  });
  return out;
}

}  // namespace

TEST_CASE("only calibrated heads are trained: nothing else has a gradient, and batch norms stay in evaluation mode") {
  for (Context* ctx : devices()) {
    for (const bool cascade : {false, true}) {
      Model model(*ctx, small_options(cascade, with(CalibratedKind::fc3_ft, true)));
      model.net.begin_calibration(*ctx);
      const HostTensors before = model.store.state_dict();
      const CalibrationLosses out = losses(*ctx, model, {1, 3});
      REQUIRE(out.stages.size() == (cascade ? 3u : 1u));
      CHECK(out.parts().back().first == (cascade ? "loss_cls_stage2" : "loss_cls"));
      double sum = 0;
      for (const Variable& loss : out.stages) sum += value(*ctx, loss);
      CHECK(value(*ctx, out.total) == Approx(sum));
      backward(*ctx, out.total);
      CHECK(live_nodes() == 0);
      for (const ParameterEntry& entry : model.store.entries()) {
        INFO(entry.name);
        CHECK(entry.variable.requires_grad() == is_calibrated(entry.name));
        CHECK(entry.variable.grad().defined() == is_calibrated(entry.name));
      }
      const HostTensors after = model.store.state_dict();  // running statistics among them
      for (const auto& [name, tensor] : before) CHECK((after.at(name).bytes == tensor.bytes));
    }
  }
}

TEST_CASE("a step learns from the drawn class and as much background; from all that is sampled when asked to") {
  Context& ctx = cpu_context();
  Model chosen(ctx, small_options(false, with(CalibratedKind::classifier, true)));
  // Without a row there is no loss and no gradient, and no NaN.
  const CalibrationLosses none = losses(ctx, chosen, {-1, 0});
  CHECK(value(ctx, none.total) == 0);
  backward(ctx, none.total);
  for (const float g : chosen.store.gradients().to_vector<float>(ctx)) REQUIRE(g == 0);

  // The gradient of the last layer's bias is the mean of softmax - onehot over the rows; with weights of 0 the softmax
  // is uniform, and what is left is each label's share of the kept rows.
  const auto shares = [&](Model& model, const std::vector<int32_t>& drawn_for) {
    const Tensor& weight = model.store.find("roi_heads.box_predictor.calibrated.cls_score.weight")->variable.value();
    weight.copy_from(ctx, Tensor::zeros(ctx, weight.shape()));
    model.store.clear_gradients();
    backward(ctx, losses(ctx, model, drawn_for).total);
    std::vector<double> out;
    for (const float g :
         model.store.find("roi_heads.box_predictor.calibrated.cls_score.bias")->variable.grad().to_vector<float>(ctx)) {
      out.push_back(1.0 / (kClasses + 1) - g);
    }
    return out;
  };
  const std::vector<double> one = shares(chosen, {1, 1}), both = shares(chosen, {1, 3});
  const auto near = [](double x) { return Approx(x).margin(1e-6); };
  CHECK(one[1] == near(0.5));
  CHECK(one[3] == near(0));
  CHECK(one[kClasses] == near(0.5));
  CHECK(both[1] + both[3] == near(0.5));
  CHECK(both[1] > 0.05);
  CHECK(both[3] > 0.05);
  Model all(ctx, small_options(false, with(CalibratedKind::classifier, false)));
  const std::vector<double> every = shares(all, {-1, -1});
  CHECK(every[1] > 0.02);
  CHECK(every[3] > 0.02);
  CHECK(every[kClasses] > 0.6);  // the sampler's quarter of foreground at most
}

TEST_CASE("every loss goes on from a detector that was trained with softmax") {
  Context& ctx = cpu_context();
  for (const auto& listed : loss_list()) {
    INFO(listed->name());
    CalibrationOptions options = with(CalibratedKind::classifier_ft, false);
    options.loss.type = listed->name();
    Model model(ctx, small_options(false, options));
    model.net.begin_calibration(ctx);
    if (listed->name() == "bags") continue;  // its groups are LVIS's: apps/calibrate
    model.net.check_ready_to_calibrate(ctx);
    const CalibrationLosses out = losses(ctx, model, {-1, -1});
    CHECK(std::isfinite(value(ctx, out.total)));
    backward(ctx, out.total);
    double size = 0;
    for (const float g : model.store.gradients().to_vector<float>(ctx)) size += std::abs(g);
    CHECK(std::isfinite(size));
    CHECK(size > 0);
    CHECK(live_nodes() == 0);
  }
}

TEST_CASE("class means are learned without a tape") {
  Context& ctx = cpu_context();
  Model model(ctx, small_options(false, with(CalibratedKind::fc2_ncm, false)));
  const CalibrationLosses out = losses(ctx, model, {-1, -1});
  CHECK_FALSE(out.total.requires_grad());
  CHECK(std::isfinite(value(ctx, out.total)));
  const std::vector<float> count =
      model.store.find("roi_heads.box_predictor.calibrated.class_means.count")->variable.value().to_vector<float>(ctx);
  CHECK(count[1] >= 2);  // the ground truth itself is among the proposals
  CHECK(count[3] >= 2);
  CHECK(count[0] == 0);
  CHECK(count[kClasses] > 0);
}

TEST_CASE("whose scores: original, calibrated, the mean of both, or by the counts; each stage's logits apart") {
  for (Context* ctx : devices()) {
    for (const bool cascade : {false, true}) {
      INFO(cascade);
      const auto model_with = [&](DualInference inference) {
        return std::make_unique<Model>(*ctx, small_options(cascade, with(CalibratedKind::classifier, true, inference)));
      };
      // With random weights the two heads disagree; parameters are drawn by name, so all models have the same.
      const auto original = model_with(DualInference::original), calibrated = model_with(DualInference::calibrated);
      const auto average = model_with(DualInference::average), select = model_with(DualInference::select);
      for (Model* model : {original.get(), calibrated.get(), average.get(), select.get()}) {
        for (const ParameterEntry& entry : model->store.entries()) {
          if (entry.name.ends_with("cls_score.weight")) {
            entry.variable.value().copy_from(*ctx, scale(*ctx, entry.variable, 30).value());
          }
        }
      }
      Model plain(*ctx, small_options(cascade, std::nullopt));
      for (const ParameterEntry& entry : plain.store.entries()) {
        if (entry.name.ends_with("cls_score.weight")) {
          entry.variable.value().copy_from(*ctx, scale(*ctx, entry.variable, 30).value());
        }
      }
      const std::vector<float> p = scores(*ctx, *original), q = scores(*ctx, *calibrated);
      CHECK((scores(*ctx, plain) == p));
      REQUIRE(p.size() == q.size());
      REQUIRE((p != q));
      const std::vector<float> half = scores(*ctx, *average), by_count = scores(*ctx, *select);
      for (size_t i = 0; i < p.size(); ++i) {
        REQUIRE(half[i] == Approx((double(p[i]) + q[i]) / 2).epsilon(1e-6));
        REQUIRE(by_count[i] == (i % kClasses < 2 ? q[i] : p[i]));  // 4 and 40 instances are below 100
      }
    }
  }
}

TEST_CASE("a detector without a calibrated head cannot be calibrated") {
  Context& ctx = cpu_context();
  Model model(ctx, small_options(false, std::nullopt));
  CHECK_THROWS_WITH(losses(ctx, model, {1}), Catch::Contains("without a calibrated head"));
  CHECK_THROWS_WITH(model.net.begin_calibration(ctx), Catch::Contains("no calibrated head"));
  Model calibrated(ctx, small_options(false, with(CalibratedKind::fc2_rand, true)));
  CHECK_THROWS_AS(calibrated.net.calibration_losses(ctx, pictures(ctx, 2), squares(ctx, 2),
                                                    Tensor::zeros(ctx, {3}, DType::int32), {}),
                  Error);
}
