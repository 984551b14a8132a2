// Box coder and level assignment against the formulas in long double, torchvision's values and round trips.
// torchvision's: BoxCoder((10, 10, 5, 5)).encode_single / decode_single and LevelMapper(2, 5), torchvision 0.14.1.
#include "detection/box_coder.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "detection/box_coder_body.h"
#include "detection/level_assignment.h"
#include "detection/level_assignment_body.h"
#include "tests/crew.h"
#include "tests/detection/random_boxes.h"
#include "tests/devices.h"

using namespace tailseg;

namespace {

BoxCoderOptions box_head_coder() {
  BoxCoderOptions options;
  options.weights = {10, 10, 5, 5};
  return options;
}

void require_near(const std::vector<float>& got, const std::vector<double>& expected, double epsilon) {
  REQUIRE(got.size() == expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    INFO("element " << i);
    REQUIRE(got[i] == Approx(expected[i]).epsilon(epsilon).margin(1e-6));
  }
}

}  // namespace

TEST_CASE("encoding is torchvision's") {
  for (Context* ctx : devices()) {
    const Tensor references = Tensor::from(*ctx, {2, 4}, std::vector<float>{10, 20, 50, 100, 0, 0, 7.5f, 3.25f});
    const Tensor targets = Tensor::from(*ctx, {2, 4}, std::vector<float>{12, 18, 60, 90, 1, -1, 5, 9});
    const Tensor deltas = encode_boxes(*ctx, references, targets, box_head_coder());
    require_near(deltas.to_vector<float>(*ctx),
                 {1.5, -0.75, 0.9116079807281494, -0.5268027186393738, -1.0, 7.307692527770996, -3.143043041229248,
                  5.619650363922119},
                 1e-6);
  }
}

TEST_CASE("decoding is torchvision's when only the upper side is clamped") {
  for (Context* ctx : devices()) {
    BoxCoderOptions options = box_head_coder();
    options.clamp_both_sides = false;
    const Tensor references = Tensor::from(*ctx, {2, 4}, std::vector<float>{10, 20, 50, 100, 0, 0, 7.5f, 3.25f});
    const Tensor deltas =
        Tensor::from(*ctx, {2, 8}, std::vector<float>{1, -2, .5f, -.5f, 0, 0, 30, -30, .3f, .2f, .1f, 0, -5, 5, -1, 1});
    const std::vector<double> expected = {
        11.89657974243164,   7.8065032958984375,  56.10342025756836,  80.19349670410156,
        -1220.0001220703125, 59.900848388671875,  1280.0001220703125, 60.099151611328125,
        0.149245023727417,   0.06500005722045898, 7.800754547119141,  3.315000057220459,
        -3.0702404975891113, 1.2652205228805542,  3.0702404975891113, 5.234779357910156};
    const Tensor boxes = decode_boxes(*ctx, references, deltas, options);
    REQUIRE(boxes.shape() == Shape{2, 2, 4});
    require_near(boxes.to_vector<float>(*ctx), expected, 1e-6);
  }
}

TEST_CASE("mmdet clamps small sizes too") {
  for (Context* ctx : devices()) {
    const Tensor references = Tensor::from(*ctx, {1, 4}, std::vector<float>{0, 0, 100, 100});
    const Tensor deltas = Tensor::from(*ctx, {1, 4}, std::vector<float>{0, 0, -30, 30});
    BoxCoderOptions options;
    // exp(+-log(1000 / 16)) = 62.5 and 0.016.
    require_near(decode_boxes(*ctx, references, deltas, options).to_vector<float>(*ctx),
                 {50 - 0.8, 50 - 3125, 50 + 0.8, 50 + 3125}, 1e-6);
    options.clamp_both_sides = false;
    require_near(decode_boxes(*ctx, references, deltas, options).to_vector<float>(*ctx), {50, 50 - 3125, 50, 50 + 3125},
                 1e-6);
  }
}

TEST_CASE("decoding undoes encoding in float64") {
  Context& ctx = cpu_context();
  const int64_t count = 200;
  const Tensor references = Tensor::from(ctx, {count, 4}, widened(random_boxes(count, 300, 1)));
  const Tensor targets = Tensor::from(ctx, {count, 4}, widened(random_boxes(count, 300, 2)));
  const BoxCoderOptions options = box_head_coder();
  const Tensor back = decode_boxes(ctx, references, encode_boxes(ctx, references, targets, options), options);
  const auto got = back.to_vector<double>(ctx), expected = targets.to_vector<double>(ctx);
  for (size_t i = 0; i < got.size(); ++i) REQUIRE(got[i] == Approx(expected[i]).margin(1e-10));
}

TEST_CASE("decoded boxes are clipped to their own image, and NaN stays NaN") {
  for (Context* ctx : devices()) {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const Tensor references = Tensor::from(*ctx, {4, 4},
                                           std::vector<float>{-5, -6, 30, 40, 10, 10, 20, 20,  //
                                                              -5, -6, 30, 40, 10, 10, 20, 20});
    const Tensor deltas = Tensor::from(*ctx, {4, 4},
                                       std::vector<float>{0, 0, 0, 0, 0, 0, 0, 0,  //
                                                          0, 0, 0, 0, nan, 0, 0, 0});
    const Tensor sizes = Tensor::from(*ctx, {2, 2}, std::vector<int32_t>{35, 25, 15, 18});  // height, width
    const Tensor boxes = decode_boxes(*ctx, references, deltas, {}, {&sizes});
    const std::vector<float> got = boxes.to_vector<float>(*ctx);
    REQUIRE(std::vector<float>(got.begin(), got.begin() + 12) ==
            std::vector<float>{0, 0, 25, 35, 10, 10, 20, 20, 0, 0, 18, 15});
    REQUIRE(std::isnan(got[12]));
    REQUIRE(got[13] == 10);
  }
}

TEST_CASE("coder shapes are checked and no boxes are no work") {
  Context& ctx = cpu_context();
  const Tensor none = Tensor::empty(ctx, {0, 4});
  REQUIRE(encode_boxes(ctx, none, none, {}).elements() == 0);
  REQUIRE(decode_boxes(ctx, none, Tensor::empty(ctx, {0, 8}), {}).shape() == Shape{0, 2, 4});
  REQUIRE_THROWS_AS(decode_boxes(ctx, Tensor::zeros(ctx, {2, 4}), Tensor::zeros(ctx, {2, 6}), {}), Error);
  REQUIRE_THROWS_AS(encode_boxes(ctx, Tensor::zeros(ctx, {2, 4}), Tensor::zeros(ctx, {3, 4}), {}), Error);
  BoxCoderOptions bad;
  bad.weights[2] = 0;
  REQUIRE_THROWS_AS(encode_boxes(ctx, Tensor::zeros(ctx, {2, 4}), Tensor::zeros(ctx, {2, 4}), bad), Error);
}

TEST_CASE("a batch of no images is no work either") {
  for (Context* ctx : devices()) {
    const Tensor none = Tensor::empty(*ctx, {0, 4}), sizes = Tensor::empty(*ctx, {0, 2}, DType::int32);
    REQUIRE(decode_boxes(*ctx, none, none, {}, {&sizes}).shape() == Shape{0, 1, 4});
    REQUIRE_THROWS_WITH(decode_boxes(*ctx, Tensor(), none, {}), Catch::Contains("decode_boxes: references"));
  }
}

TEST_CASE("levels by the four rules, at and beside their borders") {
  for (Context* ctx : devices()) {
    const std::vector<float> boxes = {0, 0, 112,      112, 0, 0, 111.9999f, 112, 0, 0, 224, 224,
                                      0, 0, 223.999f, 224, 0, 0, 447.9999f, 448, 0, 0, 448, 448,
                                      5, 5, 5,        5,   0, 0, 2000,      1,   0, 0, 900, 900};
    const Tensor x = Tensor::from(*ctx, {3, 3, 4}, boxes);
    // From torchvision's LevelMapper(2, 5).
    const Tensor level = assign_levels(*ctx, x, 4, LevelRule::torchvision);
    REQUIRE(level.shape() == Shape{3, 3});
    REQUIRE(level.to_vector<int32_t>(*ctx) == std::vector<int32_t>{1, 1, 2, 1, 3, 3, 0, 0, 3});
    // Away from the borders all rules agree with 4 + log2(side / 224), by hand: sides 100, 150, 300, 500.
    const std::vector<float> plain = {0, 0, 100, 100, 0, 0, 150, 150, 0, 0, 300, 300, 0, 0, 500, 500};
    for (LevelRule rule : {LevelRule::mmdet, LevelRule::detectron2, LevelRule::torchvision, LevelRule::mmdet1}) {
      REQUIRE(assign_levels(*ctx, Tensor::from(*ctx, {4, 4}, plain), 4, rule).to_vector<int32_t>(*ctx) ==
              std::vector<int32_t>{0, 1, 2, 3});
      REQUIRE(assign_levels(*ctx, Tensor::from(*ctx, {4, 4}, plain), 3, rule).to_vector<int32_t>(*ctx) ==
              std::vector<int32_t>{0, 1, 2, 2});
    }
    // One more pixel on each side: 111 x 111 counts as 112 x 112.
    const Tensor small = Tensor::from(*ctx, {1, 4}, std::vector<float>{0, 0, 111, 111});
    REQUIRE(assign_levels(*ctx, small, 4, LevelRule::mmdet).to_vector<int32_t>(*ctx)[0] == 0);
    REQUIRE(assign_levels(*ctx, small, 4, LevelRule::mmdet1).to_vector<int32_t>(*ctx)[0] == 1);
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const Tensor bad = Tensor::from(*ctx, {2, 4}, std::vector<float>{0, 0, nan, 5, 0, 0, -3, 900});
    REQUIRE(assign_levels(*ctx, bad, 4, LevelRule::mmdet).to_vector<int32_t>(*ctx) == std::vector<int32_t>{0, 0});
  }
}

TEST_CASE("levels just below a border: the guard inside the logarithm decides") {
  // side = 112 (1 - 4e-7): log2(side / 56 + 1e-6) = log2(2 (1 - 4e-7) + 1e-6) = 1 + 1.4e-7 -> level 1 for mmdet;
  // 4 + log2(side / 224 + 1e-8) = 3 - 5.7e-7 + 2.9e-8 -> 2, level 0 for detectron2; torchvision adds 1e-6 -> level 1.
  Context& ctx = cpu_context();
  const double side = 112 * (1 - 4e-7);
  const Tensor box = Tensor::from(ctx, {1, 4}, std::vector<double>{0, 0, side, side});
  const auto level = [&](LevelRule rule) { return assign_levels(ctx, box, 4, rule).to_vector<int32_t>(ctx)[0]; };
  REQUIRE(level(LevelRule::mmdet) == 1);
  REQUIRE(level(LevelRule::detectron2) == 0);
  REQUIRE(level(LevelRule::torchvision) == 1);
}

TEST_CASE("coder and level bodies give the same on a crew") {
  const int64_t count = 9;
  const std::vector<float> references = random_boxes(count, 300, 3), targets = random_boxes(count, 300, 4);
  const BoxCoder<float> coder = BoxCoder<float>::of(box_head_coder());
  std::vector<float> solo(36), other(36);
  const EncodeBoxes<float> encode{references.data(), targets.data(), solo.data(), coder};
  for (int64_t i = 0; i < count; ++i) encode(Solo{}, i);
  crew::run(4, count, EncodeBoxes<float>{references.data(), targets.data(), other.data(), coder});
  REQUIRE(solo == other);
  std::vector<float> decoded(36), decoded_crew(36);
  const Clipper<float> unclipped{nullptr, 1};
  const DecodeBoxes<float> decode{references.data(), solo.data(), decoded.data(), 1, coder, unclipped};
  for (int64_t i = 0; i < count; ++i) decode(Solo{}, i);
  crew::run(4, 3, DecodeBoxes<float>{references.data(), solo.data(), decoded_crew.data(), 1, coder, unclipped});
  crew::run(3, count, DecodeBoxes<float>{references.data(), solo.data(), decoded_crew.data(), 1, coder, unclipped});
  REQUIRE(decoded == decoded_crew);
  std::vector<int32_t> level(9), level_crew(9);
  const AssignLevels<float> assign{targets.data(), level.data(), 4, LevelRule::mmdet};
  for (int64_t i = 0; i < count; ++i) assign(Solo{}, i);
  crew::run(4, count, AssignLevels<float>{targets.data(), level_crew.data(), 4, LevelRule::mmdet});
  REQUIRE(level == level_crew);
}
