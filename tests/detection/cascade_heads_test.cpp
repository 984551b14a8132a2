// A cascade's heads: a stage's gradients by differences, what flows back, every loss, one state a stage, no objects.
#include <catch2/catch.hpp>
#include <set>

#include "detection/losses/loss_list.h"
#include "detection/mask_rcnn.h"
#include "tests/detection/small_model.h"
#include "tests/gradient_check.h"
#include "tests/typed_tensor.h"

using namespace tailseg;
using namespace tailseg::test;
namespace gc = gradient_check;

namespace {

constexpr int64_t kClasses = 5;

MaskRcnnOptions small_options(bool mmdet) {
  MaskRcnnOptions options = MaskRcnnOptions::mmdet(kClasses);
  options.backbone.depth = 18;
  options.backbone.width = 8;
  options.backbone.norm.kind = NormKind::batch;
  options.backbone.frozen_stages = -1;
  options.fpn.channels = 8;
  options.cascade = mmdet ? CascadeOptions::mmdet() : CascadeOptions::detectron2();
  options.roi_matcher.low_quality = LowQuality::off;
  options.box_head.class_agnostic = true;
  options.box_beta = mmdet ? 1 : 0;
  options.box_head.width = 16;
  options.mask_head.width = 8;
  options.mask_head.convolutions = 1;
  options.anchors.sizes = {{8}, {16}, {32}, {64}, {128}};
  options.train_proposals.most = 40;
  options.test_proposals.most = 30;
  options.roi_sampler.total = 16;
  options.mask_targets.rule = MaskTargetRule::polygon;
  for (int64_t c = 0; c < kClasses; ++c) {
    options.box_head.statistics.images.push_back(static_cast<int64_t>(3 * std::pow(10.0, double(c))));  // a long tail
    options.box_head.statistics.instances.push_back(static_cast<int64_t>(4 * std::pow(10.0, double(c))));
  }
  options.box_head.statistics.annotated_images = 50000;
  return options;
}

// One square of class 1 in each image, or none.
TruthBatch squares(Context& ctx, DType dtype, int64_t images, bool any) {
  TruthBatch truth;
  std::vector<double> boxes;
  std::vector<float> points;
  std::vector<int32_t> begin{0}, instances{0};
  for (int64_t n = 0; n < images; ++n) {
    boxes.insert(boxes.end(), {10, 12, 40, 44});
    points.insert(points.end(), {10, 12, 40, 12, 40, 44, 10, 44});
    begin.push_back(static_cast<int32_t>(points.size() / 2));
    instances.push_back(static_cast<int32_t>(n + 1));
  }
  truth.boxes.boxes = typed_tensor(ctx, dtype, {images, 1, 4}, any ? boxes : std::vector<double>(boxes.size(), 0.0));
  truth.boxes.labels = Tensor::full(ctx, {images, 1}, any ? 1 : -1, DType::int32);
  truth.boxes.count = Tensor::full(ctx, {images}, any ? 1 : 0, DType::int32);
  truth.masks.points = Tensor::from(ctx, {static_cast<int64_t>(points.size() / 2), 2}, points);
  truth.masks.polygon_begin = Tensor::from(ctx, {static_cast<int64_t>(begin.size())}, begin);
  truth.masks.instance_begin = Tensor::from(ctx, {images + 1}, instances);
  return truth;
}

// A step forward and back; every loss and gradient finite.
MaskRcnnLosses step(Context& ctx, Model& model, bool any, uint32_t number = 1) {
  model.store.clear_gradients();
  const MaskRcnnLosses losses =
      model.net.losses(ctx, pictures(ctx, 2), squares(ctx, DType::float32, 2, any), {3, number});
  backward(ctx, losses.total);
  model.store.complete_gradients();
  for (const auto& [name, loss] : losses.parts()) {
    INFO(name);
    REQUIRE(std::isfinite(loss.value().to_vector<float>(ctx)[0]));
  }
  int64_t wrong = 0;
  for (const float g : model.store.gradients().to_vector<float>(ctx)) wrong += !std::isfinite(g);
  REQUIRE(wrong == 0);
  return losses;
}

float value(Context& ctx, const Variable& loss) { return loss.value().to_vector<float>(ctx)[0]; }

bool has_part(const std::string& name, const char* part) { return name.find(part) != std::string::npos; }

// RoI heads in float64 with a pyramid of leaves.
struct Heads {
  MaskRcnnOptions options;
  ParameterStore store;
  RoiHeads heads;
  std::vector<Variable> pyramid;
  BoxSet proposals;
  ImageBatch images;
  TruthBatch truth;

  static MaskRcnnOptions tiny(bool mmdet) {
    MaskRcnnOptions o = small_options(mmdet);
    o.roi_sampler.take_all = true;
    o.box_head.classes = o.mask_head.classes = kClasses;
    o.box_pool = {.output_size = 2, .sampling_ratio = 2};
    o.mask_pool = {.output_size = 2, .sampling_ratio = 2};
    o.box_head.pooled = 2;
    o.box_head.width = 6;
    o.box_head.normalized = NormalizedOptions{.temperature = 3, .power = 1, .eps = 0.1};
    o.mask_head.normalized = o.box_head.normalized;
    o.mask_head.width = 4;
    o.mask_targets.size = 4;
    o.box_beta = 1;
    return o;
  }
  Heads(Context& ctx, bool mmdet)
      : options(tiny(mmdet)), store(ctx, 11, DType::float64), heads(Scope(store, "roi_heads"), 3, options) {
    // Nothing lies on relu's kink: biases are not 0, and few pixels are.
    uint64_t seed = 100;
    for (const ParameterEntry& entry : store.entries()) {
      const bool bias = entry.name.ends_with("bias"), offsets = has_part(entry.name, "bbox_pred");
      const double low = bias ? 0.1 : -0.5, high = bias ? 0.3 : 0.5, factor = offsets ? 0.1 : 1;
      std::vector<double> values = gc::values(entry.variable.value().elements(), ++seed, low * factor, high * factor);
      entry.variable.value().copy_from(ctx, Tensor::from(ctx, entry.variable.shape(), values));
    }
    for (const int64_t side : {16, 8, 4, 2}) pyramid.push_back(gc::leaf(ctx, {1, side, side, 3}, uint64_t(side)));
    const std::vector<double> boxes{8, 10, 42, 45, 12, 14, 38, 40, 30, 30, 60, 62, 2, 2, 20, 18, 11, 12, 41, 43};
    proposals.boxes = Tensor::from(ctx, {1, 5, 4}, boxes);
    proposals.count = Tensor::from(ctx, {1}, std::vector<int32_t>{5});
    images.sizes = Tensor::from(ctx, {1, 2}, std::vector<int32_t>{kSide, kSide});
    images.pixels = Tensor::zeros(ctx, {1, kSide, kSide, 3}, DType::float64);
    truth = squares(ctx, DType::float64, 1, true);
  }
  Variable loss(Context& ctx, size_t stage) {
    const std::vector<StageLosses> all = heads.losses(ctx, pyramid, proposals, images, truth, {});
    Variable total = add(ctx, all[stage].box_class, all[stage].box_delta);
    return all[stage].mask.defined() ? add(ctx, total, all[stage].mask) : total;
  }
  gc::Leaves parameters(size_t stage) const {
    gc::Leaves leaves;
    for (const ParameterEntry& entry : store.entries()) {
      for (const char* part : {"box_head.", "box_predictor.", "mask_head.", "mask_predictor."}) {
        if (entry.name.starts_with(text("roi_heads.", part, stage, "."))) leaves.push_back(entry.variable);
      }
    }
    return leaves;
  }
};

}  // namespace

TEST_CASE("a stage's gradients by differences: its own parameters, and the pyramid under the first") {
  Context ctx;
  Heads h(ctx, true);
  for (const size_t stage : {0u, 1u}) {
    INFO("stage " << stage);
    gc::Leaves leaves = h.parameters(stage);
    REQUIRE(leaves.size() == 14);
    for (const Variable& p : h.pyramid) p.set_requires_grad(stage == 0);
    if (stage == 0) leaves.push_back(h.pyramid[0]);  // the level that these boxes lie on
    gc::run(ctx, [&](Context& c, const gc::Leaves&) { return h.loss(c, stage); }, leaves,
            {.step = 2e-6});  // relu's kinks are everywhere; a small step passes few
  }
}

TEST_CASE("a later stage sends nothing back to an earlier one, and detectron2's thirds reach the pyramid only") {
  Context ctx;
  Heads h(ctx, true);
  backward(ctx, h.loss(ctx, 2));
  for (const Variable& p : h.parameters(0)) REQUIRE_FALSE(p.grad().defined());
  for (const Variable& p : h.parameters(2)) REQUIRE(p.grad().defined());

  const auto box_gradient = [&](double factor) {
    Heads d(ctx, false);
    MaskRcnnOptions options = d.options;
    options.cascade.gradient_scale = factor;
    ParameterStore store(ctx, 11, DType::float64);
    RoiHeads heads(Scope(store, "roi_heads"), 3, options);
    const auto all = heads.losses(ctx, d.pyramid, d.proposals, d.images, d.truth, {});
    backward(ctx, all[0].box_class);
    return std::pair(d.pyramid[0].grad().to_vector<double>(ctx),
                     store.find("roi_heads.box_head.0.fc6.weight")->variable.grad().to_vector<double>(ctx));
  };
  const auto whole = box_gradient(1), third = box_gradient(1.0 / 3);
  REQUIRE(whole.second == third.second);
  double largest = 0;
  for (size_t i = 0; i < whole.first.size(); ++i) {
    REQUIRE(third.first[i] == Approx(whole.first[i] / 3).margin(1e-15));
    largest = std::max(largest, std::abs(whole.first[i]));
  }
  REQUIRE(largest > 0);
}

TEST_CASE("every loss trains in a cascade, each stage with a state of its own, and predicts") {
  for (const auto& listed : loss_list()) {
    for (const bool mmdet : {true, false}) {
      INFO(listed->name() << (mmdet ? ", mmdet" : ", detectron2"));
      Context& ctx = cpu_context();
      MaskRcnnOptions options = small_options(mmdet);
      options.box_head.loss.type = listed->name();
      options.postprocess.score_threshold = 0;
      options.postprocess.max_detections = 8;
      Model model(ctx, options);
      model.net.check_ready(ctx);
      REQUIRE(model.net.stages() == 3);
      std::set<const ClassLoss*> losses;
      for (size_t s = 0; s < 3; ++s) losses.insert(&model.net.class_loss(s));
      REQUIRE(losses.size() == 3);
      const MaskRcnnLosses out = step(ctx, model, true);
      for (const StageLosses& stage : out.stages) REQUIRE(value(ctx, stage.box_class) > 0);
      REQUIRE(out.stages[1].mask.defined() == mmdet);
      REQUIRE(out.parts().size() == size_t(mmdet ? 11 : 9));
      const Prediction found = model.net.predict(ctx, pictures(ctx, 2));
      REQUIRE(found.detections.photo.count.to_vector<int32_t>(ctx) == std::vector<int32_t>{8, 8});
      for (const float p : found.masks.to_vector<float>(ctx)) REQUIRE((p >= 0 && p <= 1));
    }
  }
}

TEST_CASE("Seesaw in a cascade counts each stage's own foreground") {
  for (Context* ctx : devices()) {
    MaskRcnnOptions options = small_options(true);
    options.box_head.loss.type = "seesaw";
    Model model(*ctx, options);
    const MaskRcnnLosses out = step(*ctx, model, true);
    for (size_t s = 0; s < 3; ++s) {
      const ParameterEntry* counts = model.store.find(text("roi_heads.box_predictor.", s, ".loss.counts"));
      REQUIRE(counts);
      const std::vector<float> seen = counts->variable.value().to_vector<float>(*ctx);
      const std::vector<int32_t> sampled = out.stages[s].box_counts.to_vector<int32_t>(*ctx);
      REQUIRE(seen[0] == 0);
      REQUIRE(seen[2] == 0);
      REQUIRE(seen[1] >= 2);  // the ground truth of both pictures, in every stage
      REQUIRE(seen[1] <= 8);  // a quarter of the sample
      REQUIRE(seen[1] + seen[kClasses] == float(sampled[0]));
    }
  }
}

TEST_CASE("a step without objects: background only in every stage, no box or mask loss") {
  for (Context* ctx : devices()) {
    for (const bool mmdet : {true, false}) {
      Model model(*ctx, small_options(mmdet));
      const MaskRcnnLosses out = step(*ctx, model, false);
      for (const StageLosses& stage : out.stages) {
        REQUIRE(value(*ctx, stage.box_class) > 0);
        REQUIRE(value(*ctx, stage.box_delta) == 0);
        if (stage.mask.defined()) REQUIRE(value(*ctx, stage.mask) == 0);
      }
    }
  }
  REQUIRE(live_nodes() == 0);
}

TEST_CASE("stages sample by draws of their own, the same at any number of threads") {
  std::vector<std::vector<float>> all;
  for (const int threads : {1, 3, 1, 3}) {
    Context ctx({}, {threads, MathMode::float32});
    Model model(ctx, small_options(true));
    const MaskRcnnLosses out = step(ctx, model, true, 5);
    std::vector<float> values;
    for (const auto& [name, loss] : out.parts()) values.push_back(value(ctx, loss));
    const std::vector<float> gradients = model.store.gradients().to_vector<float>(ctx);
    values.insert(values.end(), gradients.begin(), gradients.end());
    all.push_back(values);
  }
  REQUIRE(all[0] == all[2]);
  REQUIRE(all[1] == all[3]);
  for (size_t i = 0; i < 11; ++i) REQUIRE(all[0][i] == Approx(all[1][i]).epsilon(1e-4));
}

TEST_CASE("a class-wise cascade is refused") {
  MaskRcnnOptions options = small_options(true);
  options.box_head.class_agnostic = false;
  REQUIRE_THROWS_WITH(Model(cpu_context(), options), Catch::Contains("class-agnostic"));
}
