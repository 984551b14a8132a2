// The cascade's parts: refinement by hand and on a crew, the published recipes. The heads are in
// cascade_heads_test.cpp, the whole is proved in cascade_proof_test.cpp.
#include "detection/cascade.h"

#include <catch2/catch.hpp>

#include "detection/cascade_body.h"
#include "tests/crew.h"
#include "tests/detection/random_boxes.h"
#include "tests/run_both.h"
#include "tests/typed_tensor.h"

using namespace tailseg;

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
