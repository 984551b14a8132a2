// The cascade's parts: refinement by hand and on a crew, a stage's gradients, one state a stage, every loss, no
// objects. The whole is proved in cascade_proof_test.cpp.
#include "detection/cascade.h"

#include <catch2/catch.hpp>
#include <set>

#include "detection/cascade_body.h"
#include "detection/losses/loss_list.h"
#include "detection/mask_rcnn.h"
#include "tests/crew.h"
#include "tests/detection/random_boxes.h"
#include "tests/gradient_check.h"
#include "tests/run_both.h"
#include "tests/typed_tensor.h"

using namespace tailseg;
namespace gc = gradient_check;

namespace {

// Two images of 100 x 80 (width x height) with four sampled RoIs each, the last of image 1 unused. Of image 0's
// candidates row 0 was ground truth when that joined in front, row 5 when it joined behind.
struct Sampled {
  RoiTargets rois;
  BoxSet proposals, truth;
  Tensor rows, deltas, sizes;

  explicit Sampled(Context& ctx, DType dtype) {
    rois.boxes = typed_tensor(ctx, dtype, {2, 4, 4}, {10, 10, 30, 50,  // the first image's
                                                      0,  0,  20, 20,  //
                                                      50, 30, 90, 70,  //
                                                      60, 60, 80, 76,  //
                                                      10, 20, 30, 40,  // the second's
                                                      40, 40, 60, 60,  //
                                                      90, 10, 98, 30,  //
                                                      0,  0,  0,  0});
    rois.label = Tensor::from(ctx, {2, 4}, std::vector<int32_t>{1, 0, 3, 3, 2, 3, 3, -1});
    rois.source = Tensor::from(ctx, {2, 4}, std::vector<int32_t>{0, 5, 2, 3, 4, 1, 2, -1});
    proposals.boxes = Tensor::zeros(ctx, {2, 5, 4}, dtype);
    proposals.count = Tensor::from(ctx, {2}, std::vector<int32_t>{5, 4});
    truth.boxes = Tensor::zeros(ctx, {2, 1, 4}, dtype);
    truth.count = Tensor::from(ctx, {2}, std::vector<int32_t>{1, 0});
    rows = Tensor::from(ctx, {7}, std::vector<int32_t>{0, 1, 2, 3, 4, 5, 6});
    const double twice = 5 * std::log(2.0);
    deltas = typed_tensor(ctx, dtype, {7, 4}, {0,  0, 0,     0,      // stays
                                               5,  0, 0,     0,      // half its width to the right
                                               0,  0, twice, 0,      // twice as wide: clipped at the right
                                               0,  0, 0,     twice,  // twice as high: clipped below
                                               0,  5, 0,     0,      // half its height down
                                               10, 0, 0,     0,      // a whole width to the right
                                               30, 0, 0,     0});    // out of the picture
    sizes = Tensor::from(ctx, {2, 2}, std::vector<int32_t>{80, 100, 80, 100});
  }
  RefineInput input(TruthPlace place) const { return {&rois, &proposals, &truth, place, rows, deltas, sizes}; }
};

const BoxCoderOptions kCoder{.weights = {10, 10, 5, 5}};

void require_boxes(Context& ctx, const BoxSet& set, const std::vector<int32_t>& count,
                   const std::vector<double>& expected) {
  REQUIRE(set.count.to_vector<int32_t>(ctx) == count);
  const std::vector<double> got = to_doubles(ctx, set.boxes);
  REQUIRE(got.size() == expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    INFO("number " << i);
    REQUIRE(got[i] == Approx(expected[i]).margin(1e-4));
  }
}

constexpr int64_t kSide = 64, kClasses = 3;

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
    options.box_head.statistics.images.push_back(3 + 50 * c);
    options.box_head.statistics.instances.push_back(4 + 90 * c);
  }
  options.box_head.statistics.annotated_images = 500;
  return options;
}

struct Model {
  ParameterStore store;
  MaskRcnn net;
  Model(Context& ctx, const MaskRcnnOptions& options) : store(ctx, 7), net(store, options) { store.consolidate(); }
};

ImageBatch pictures(Context& ctx, int64_t images) {
  std::vector<float> pixels(static_cast<size_t>(images * kSide * kSide * 3));
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<float>(std::sin(0.013 * double(i * i % 1009)));
  std::vector<int32_t> sizes(static_cast<size_t>(images * 2), kSide);
  const Tensor size = Tensor::from(ctx, {images, 2}, sizes);
  return {Tensor::from(ctx, {images, kSide, kSide, 3}, pixels), size, size, size};
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

}  // namespace

TEST_CASE("refinement by hand: boxes move, are clipped, and ground truth or what is empty stays behind") {
  for_each_device_and_type([](Context& ctx, DType dtype) {
    if (dtype == DType::bfloat16) return;
    INFO(ctx.device().name() << " " << name_of(dtype));
    const Sampled s(ctx, dtype);
    const std::vector<double> a{10, 10, 30, 50}, b{10, 0, 30, 20}, c{30, 30, 100, 70}, d{60, 52, 80, 80},
        e{10, 30, 30, 50}, f{60, 40, 80, 60}, out{100, 10, 100, 30}, none{0, 0, 0, 0};
    const auto joined = [](std::initializer_list<std::vector<double>> boxes) {
      std::vector<double> all;
      for (const auto& box : boxes) all.insert(all.end(), box.begin(), box.end());
      return all;
    };
    const BoxSet first = refine_rois(ctx, s.input(TruthPlace::first), {kCoder, true, false});
    require_boxes(ctx, first, {3, 3}, joined({b, c, d, none, e, f, out, none}));
    // Behind five and four proposals: source 5 of image 0 and source 4 of image 1.
    const BoxSet last = refine_rois(ctx, s.input(TruthPlace::last), {kCoder, true, false});
    require_boxes(ctx, last, {3, 2}, joined({a, c, d, none, f, out, none, none}));
    const BoxSet empty = refine_rois(ctx, s.input(TruthPlace::first), {kCoder, false, true});
    require_boxes(ctx, empty, {4, 2}, joined({a, b, c, d, e, f, none, none}));
    const BoxSet nowhere = refine_rois(ctx, s.input(TruthPlace::nowhere), {kCoder, true, false});
    require_boxes(ctx, nowhere, {4, 3}, joined({a, b, c, d, e, f, out, none}));
  });
}

TEST_CASE("refinement sees the head's rows only, and an image without any has no boxes") {
  Context ctx;
  Sampled s(ctx, DType::float32);
  s.rows = Tensor::from(ctx, {2}, std::vector<int32_t>{2, 3});
  s.deltas = Tensor::zeros(ctx, {2, 4});
  const BoxSet set = refine_rois(ctx, s.input(TruthPlace::nowhere), {kCoder, true, false});
  REQUIRE(set.count.to_vector<int32_t>(ctx) == std::vector<int32_t>{2, 0});
  REQUIRE(set.boxes.to_vector<float>(ctx)[0] == 50);
  s.rows = Tensor::zeros(ctx, {0}, DType::int32);
  s.deltas = Tensor::zeros(ctx, {0, 4});
  REQUIRE(refine_rois(ctx, s.input(TruthPlace::first), {kCoder, true, false}).count.to_vector<int32_t>(ctx) ==
          std::vector<int32_t>{0, 0});
  s.deltas = Tensor::zeros(ctx, {1, 4});
  REQUIRE_THROWS_WITH(refine_rois(ctx, s.input(TruthPlace::first), {kCoder, true, false}), Catch::Contains("deltas"));
}

TEST_CASE("refinement's bodies agree on one lane and on a crew") {
  const int64_t images = 3, per_image = 21, all = images * per_image;
  const auto boxes = random_boxes(all, 60, 5);
  const auto deltas = wave<float>(size_t(all * 4));
  std::vector<int32_t> rows, label, source;
  for (int32_t i = 0; i < all; ++i) {
    if (i % 5 != 4) rows.push_back(i);
    label.push_back(i % 7 == 6 ? -1 : i % 3);
    source.push_back(i * 5 % 30);
  }
  const std::vector<int32_t> sizes{60, 60, 40, 60, 60, 30}, truth{4, 0, 9}, proposals{25, 30, 28};
  struct Result {
    std::vector<float> moved, boxes;
    std::vector<int32_t> kept, count;
  };
  const auto with = [&](auto run) {
    Result r{std::vector<float>(size_t(all * 4)), std::vector<float>(size_t(all * 4)),
             std::vector<int32_t>(size_t(all)), std::vector<int32_t>(size_t(images), -7)};
    run(int64_t(rows.size()), RefineRoi<float>{rows.data(), deltas.data(), boxes.data(), label.data(), source.data(),
                                               sizes.data(), truth.data(), proposals.data(), r.moved.data(),
                                               r.kept.data(), per_image, BoxCoder<float>::of(kCoder), true});
    run(all, CompactBoxes<float>{r.moved.data(), r.kept.data(), r.boxes.data(), r.count.data(), per_image});
    return r;
  };
  const Result solo = with([](int64_t items, const auto& body) { run_solo(items, body); });
  const Result lanes = with([](int64_t items, const auto& body) { crew::run(4, items, body); });
  REQUIRE(solo.kept == lanes.kept);
  REQUIRE(solo.boxes == lanes.boxes);
  REQUIRE(solo.count == lanes.count);
  for (size_t n = 0; n < size_t(images); ++n) {
    int32_t kept = 0;
    for (size_t i = 0; i < size_t(per_image); ++i) kept += solo.kept[n * size_t(per_image) + i];
    REQUIRE(solo.count[n] == kept);
    REQUIRE((kept > 0 && kept < per_image));
  }
}

TEST_CASE("the published cascades: METHODS 2.5") {
  const CascadeOptions mmdet = CascadeOptions::mmdet(), detectron2 = CascadeOptions::detectron2();
  REQUIRE(mmdet.stages.size() == 3);
  REQUIRE(mmdet.stages[2].delta_weights[0] == Approx(1 / 0.033).epsilon(1e-15));
  REQUIRE(mmdet.stages[2].delta_weights[3] == Approx(1 / 0.067).epsilon(1e-15));
  REQUIRE(mmdet.stages[1].loss_weight == 0.5);
  REQUIRE(mmdet.stages[2].loss_weight == 0.25);
  REQUIRE((mmdet.resample && mmdet.mask_head_each_stage && mmdet.mean_of_logits && mmdet.gradient_scale == 1));
  REQUIRE(detectron2.stages[2].delta_weights == std::array<double, 4>{30, 30, 15, 15});
  REQUIRE(detectron2.stages[2].loss_weight == 1);
  REQUIRE((!detectron2.resample && !detectron2.mask_head_each_stage && !detectron2.mean_of_logits));
  REQUIRE(detectron2.gradient_scale == Approx(1.0 / 3));
  for (size_t s = 0; s < 3; ++s) {
    REQUIRE(mmdet.stages[s].iou == Approx(0.5 + 0.1 * double(s)));
    REQUIRE(detectron2.stages[s].iou == Approx(0.5 + 0.1 * double(s)));
  }
}

namespace {

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
