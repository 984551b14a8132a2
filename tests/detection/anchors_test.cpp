// Anchors against a slow loop in double, torchvision's values, and hand-made padding cases.
// torchvision's: AnchorGenerator(sizes 32..512, ratios 0.5, 1, 2) on a 96 x 160 input with feature maps 24x40, 12x20,
// 6x10, 3x5, 2x3 (torchvision 0.14.1): base anchors, a few of the 3843 boxes, and their sum.
#include "detection/anchors.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <numeric>

#include "detection/anchors_body.h"
#include "tests/crew.h"
#include "tests/devices.h"

using namespace tailseg;

namespace {

const std::vector<LevelSize> kSmall = {{24, 40}, {12, 20}, {6, 10}, {3, 5}, {2, 3}};

std::vector<double> slow_anchors(const AnchorOptions& options, const std::vector<LevelSize>& sizes) {
  std::vector<double> out;
  for (size_t l = 0; l < sizes.size(); ++l) {
    for (int64_t y = 0; y < sizes[l].height; ++y) {
      for (int64_t x = 0; x < sizes[l].width; ++x) {
        for (double ratio : options.ratios) {
          for (double size : options.sizes[l]) {
            const double w = size / std::sqrt(ratio), h = size * std::sqrt(ratio);
            const double cx = double(x * options.strides[l]), cy = double(y * options.strides[l]);
            out.insert(out.end(), {cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2});
          }
        }
      }
    }
  }
  return out;
}

std::vector<float> corners_of(const std::vector<float>& boxes, size_t i) {
  return {boxes.begin() + static_cast<long>(i * 4), boxes.begin() + static_cast<long>(i * 4 + 4)};
}

}  // namespace

TEST_CASE("anchors follow level, row, column, ratio") {
  for (Context* ctx : devices()) {
    AnchorOptions options;
    options.sizes[1] = {64, 80};  // levels may differ in their number of anchors
    const AnchorSet set = make_anchors(*ctx, options, 96, 160, kSmall);
    const std::vector<float> boxes = set.boxes.to_vector<float>(*ctx);
    const std::vector<double> expected = slow_anchors(options, kSmall);
    REQUIRE(boxes.size() == expected.size());
    for (size_t i = 0; i < boxes.size(); ++i) REQUIRE(boxes[i] == Approx(expected[i]).margin(1e-3));
    REQUIRE(set.levels[1].first == 24 * 40 * 3);
    REQUIRE(set.levels[2].first == 24 * 40 * 3 + 12 * 20 * 6);
  }
}

TEST_CASE("mmdet's base anchors are not rounded") {
  const std::vector<float> base = base_anchors({}, 0);
  const std::vector<double> expected = {-22.627417, -11.3137085, 22.627417,   11.3137085, -16,        -16,
                                        16,         16,          -11.3137085, -22.627417, 11.3137085, 22.627417};
  REQUIRE(base.size() == expected.size());
  for (size_t i = 0; i < base.size(); ++i) REQUIRE(base[i] == Approx(expected[i]).epsilon(1e-6));
}

TEST_CASE("rounded base anchors and measured strides are torchvision's") {
  AnchorOptions options;
  options.round_base = true;
  options.measured_strides = true;
  REQUIRE(base_anchors(options, 0) == std::vector<float>{-23, -11, 23, 11, -16, -16, 16, 16, -11, -23, 11, 23});
  REQUIRE(base_anchors(options, 3) == std::vector<float>{-181, -91, 181, 91, -128, -128, 128, 128, -91, -181, 91, 181});
  REQUIRE(base_anchors(options, 4) ==
          std::vector<float>{-362, -181, 362, 181, -256, -256, 256, 256, -181, -362, 181, 362});
  for (Context* ctx : devices()) {
    const AnchorSet set = make_anchors(*ctx, options, 96, 160, kSmall);
    const std::vector<float> boxes = set.boxes.to_vector<float>(*ctx);
    REQUIRE(set.count() == 3843);
    REQUIRE(corners_of(boxes, 2880 + 3 * (2 * 20 + 7) + 1) == std::vector<float>{24, -16, 88, 48});
    REQUIRE(corners_of(boxes, 3842) == std::vector<float>{-75, -314, 287, 410});  // strides 48 and 53 at the last level
    REQUIRE(std::accumulate(boxes.begin(), boxes.end(), 0.0) == 938772.0);
  }
}

TEST_CASE("anchors in foreign padding and beyond the border take no part") {
  for (Context* ctx : devices()) {
    AnchorOptions options;
    options.sizes = {{4}, {8}};
    options.strides = {4, 8};
    options.ratios = {1};
    const AnchorSet set = make_anchors(*ctx, options, 16, 16, {{4, 4}, {2, 2}});
    const Tensor own = Tensor::from(*ctx, {2, 2}, std::vector<int32_t>{16, 16, 9, 8});  // the second fills 3 x 2 cells
    const Tensor sizes = Tensor::from(*ctx, {2, 2}, std::vector<int32_t>{15, 11, 9, 8});
    AnchorValidity rules;
    rules.own_sizes = &own;
    const std::vector<uint8_t> padded = anchor_validity(*ctx, set, 2, rules).to_vector<uint8_t>(*ctx);
    REQUIRE(padded == std::vector<uint8_t>{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,  //
                                           1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0});
    rules.allowed_border = 0;
    rules.image_sizes = &sizes;
    const std::vector<uint8_t> inside = anchor_validity(*ctx, set, 2, rules).to_vector<uint8_t>(*ctx);
    // Image 1, 15 x 11: boxes [4x - 2, 4x + 2] need x >= 1, 4x + 2 < 11 and 4y + 2 < 15; level 1 needs 8x + 4 < 11.
    REQUIRE(inside == std::vector<uint8_t>{0, 0, 0, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0,  //
                                           0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0});
    rules.allowed_border = 4;
    const std::vector<uint8_t> near = anchor_validity(*ctx, set, 2, rules).to_vector<uint8_t>(*ctx);
    REQUIRE(near[0] == 1);
    REQUIRE(near[3] == 1);   // 14 < 11 + 4
    REQUIRE(near[16] == 1);  // -4 >= -4
    REQUIRE(near[17] == 1);  // 12 < 15
    REQUIRE(near[18] == 1);
    REQUIRE(near[20 + 8] == 1);   // 10 < 13 and within the second image's three rows
    REQUIRE(near[20 + 12] == 0);  // its fourth row of cells is foreign padding
  }
}

TEST_CASE("anchor bodies give the same on a crew") {
  Context& ctx = cpu_context();
  const AnchorSet set = make_anchors(ctx, {}, 96, 160, kSmall);
  LevelTable table{};
  table.levels = 5;
  std::copy(set.levels.begin(), set.levels.end(), table.level);
  std::vector<float> base;
  for (size_t l = 0; l < 5; ++l) {
    for (float corner : base_anchors({}, l)) base.push_back(corner);
  }
  std::vector<float> boxes(static_cast<size_t>(set.count() * 4), -1);
  crew::run(5, 47, PlaceAnchors<float>{base.data(), boxes.data(), 3, set.count(), table});
  REQUIRE(boxes == set.boxes.to_vector<float>(ctx));
  const std::vector<int32_t> own = {64, 96}, sizes = {60, 90};
  std::vector<uint8_t> solo(static_cast<size_t>(set.count())), crew_valid(solo.size());
  const JudgeAnchors<float> judge{boxes.data(), own.data(), sizes.data(), solo.data(), set.count(), 47, 2, table};
  for (int64_t row = 0; row < 47; ++row) judge(Solo{}, row);
  JudgeAnchors<float> other = judge;
  other.valid = crew_valid.data();
  crew::run(3, 47, other);
  REQUIRE(crew_valid == solo);
  REQUIRE(std::accumulate(solo.begin(), solo.end(), 0) > 0);
}

TEST_CASE("anchor options that do not fit are refused") {
  Context& ctx = cpu_context();
  REQUIRE_THROWS_AS(make_anchors(ctx, {}, 96, 160, {{24, 40}}), Error);
  REQUIRE_THROWS_AS(make_anchors(ctx, {}, 96, 160, {{24, 40}, {12, 20}, {6, 10}, {0, 5}, {2, 3}}), Error);
  AnchorOptions options;
  options.ratios = {-1};
  REQUIRE_THROWS_AS(make_anchors(ctx, options, 96, 160, kSmall), Error);
}
