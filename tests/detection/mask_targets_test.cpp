// Expected values: torchvision 0.14.1 (roi_align, project_masks_on_boxes) and pycocotools 2.0 on the same inputs.
#include "detection/mask_targets.h"

#include <catch2/catch.hpp>
#include <limits>
#include <string>

#include "detection/mask_targets_body.h"
#include "tests/crew.h"
#include "tests/devices.h"

using namespace tailseg;

namespace {

constexpr int kHeight = 9, kWidth = 11;

// A disc of radius 3 about row 4, column 5, and a bar in the upper right corner, cut to its rectangle.
InstanceMasks disc_and_bar(Context& ctx) {
  std::vector<uint8_t> crop;
  for (int i = 0; i <= 7; ++i) {
    for (int j = 2; j < kWidth; ++j) crop.push_back((i - 4) * (i - 4) + (j - 5) * (j - 5) <= 9 || (i == 0 && j > 7));
  }
  InstanceMasks masks;
  const auto bytes = static_cast<int64_t>(crop.size());
  masks.pixels = Tensor::from(ctx, {bytes}, crop);
  masks.crops = Tensor::from(ctx, {2, 4}, std::vector<int32_t>{0, 0, 0, 0, 2, 0, 9, 8});
  masks.offsets = Tensor::from(ctx, {2}, std::vector<int64_t>{0, 0});
  return masks;
}

MaskTargetInput input_of(Context& ctx, const std::vector<float>& rois, const std::vector<int32_t>& truth) {
  const auto count = static_cast<int64_t>(truth.size());
  return {Tensor::from(ctx, {count, 4}, rois), Tensor::from(ctx, {count}, std::vector<int32_t>(truth.size(), 0)),
          Tensor::from(ctx, {count}, truth), Tensor::from(ctx, {1, 2}, std::vector<int32_t>{kHeight, kWidth}), 2};
}

std::string digits(const std::vector<float>& values) {
  std::string out;
  for (float v : values) out += v == 0.f ? '0' : (v == 1.f ? '1' : '?');
  return out;
}

}  // namespace

TEST_CASE("soft bitmap targets are torchvision's") {
  for (Context* ctx : devices()) {
    const auto input =
        input_of(*ctx, {1.2f, 0.7f, 8.9f, 7.3f, 6.f, -2.f, 13.f, 4.f, 3.3f, 3.3f, 3.6f, 3.7f}, {1, 1, 1});
    const auto got =
        mask_targets(*ctx, disc_and_bar(*ctx), input, {MaskTargetRule::bitmap_soft, 5}).to_vector<float>(*ctx);
    const std::vector<float> expected{0.0639f,   0.36f,     0.7536f, 0.36f,    0.0459f,  0.180575f, 1,         1, 1,
                                      0.130575f, 0.58955f,  1,       1,        1,        0.53955f,  0.180575f, 1, 1,
                                      1,         0.130575f, 0.0639f, 0.36f,    0.7536f,  0.36f,     0.0459f,   0, 0,
                                      0,         0,         0,       0.02375f, 0.83125f, 0.95f,     0.475f,    0, 0.15f,
                                      0.15f,     0.15f,     0.075f,  0,        0.92625f, 0.11875f,  0,         0, 0,
                                      0.985f,    0.385f,    0,       0,        0};
    for (size_t i = 0; i < expected.size(); ++i) REQUIRE(got[i] == Approx(expected[i]).margin(2e-6));
    for (size_t i = expected.size(); i < got.size(); ++i) REQUIRE(got[i] == 1.f);
  }
}

TEST_CASE("aligned bitmap targets are those of an aligned adaptive RoIAlign of the clipped RoI") {
  for (Context* ctx : devices()) {
    const auto input =
        input_of(*ctx, {1.27f, 0.71f, 8.93f, 7.39f, 6.03f, -2.f, 13.f, 4.11f, 3.3f, 3.3f, 3.61f, 3.72f}, {1, 1, 1});
    const auto got = mask_targets(*ctx, disc_and_bar(*ctx), input, {MaskTargetRule::bitmap_aligned, 5});
    REQUIRE(digits(got.to_vector<float>(*ctx)) ==
            "001000111001111011100111000111000001100011000110001111111111111111111111111");
  }
}

TEST_CASE("polygon targets are the COCO rule's in the RoI's grid, polygons united") {
  for (Context* ctx : devices()) {
    InstanceMasks masks;
    masks.points =
        Tensor::from(*ctx, {7, 2}, std::vector<float>{2, 1, 12.5f, 3, 9, 11, 4, 9.5f, 7, 7, 14, 6.5f, 13, 13});
    masks.polygon_begin = Tensor::from(*ctx, {3}, std::vector<int32_t>{0, 4, 7});
    masks.instance_begin = Tensor::from(*ctx, {3}, std::vector<int32_t>{0, 0, 2});
    const auto input =
        input_of(*ctx, {1.f, 0.5f, 13.f, 12.f, 5.5f, 4.f, 20.f, 9.f, -4.f, -3.f, 3.f, 3.f, 0, 0, 9, 9}, {1, 1, 1, -1});
    const auto got = mask_targets(*ctx, masks, input, {MaskTargetRule::polygon, 7});
    REQUIRE(digits(got.to_vector<float>(*ctx)) ==
            "0000000011111001111100111110001111100111110000001"
            "1110000111000011100001110000111100011110001111000"
            "0000000000000000000000000000000000000000010000001" +
                std::string(49, '0'));
  }
}

TEST_CASE("boxes that are not numbers, or have no area, give a target all the same") {
  Context& ctx = cpu_context();
  const float nan = std::numeric_limits<float>::quiet_NaN(), huge = 1e30f;
  const std::vector<float> rois{nan, 0, 5, 5, 3, 3, 3, 3, -huge, -huge, huge, huge, 5, 5, 2, 2};
  const auto input = input_of(ctx, rois, {1, 1, 1, 1});
  for (auto rule : {MaskTargetRule::bitmap_aligned, MaskTargetRule::bitmap_soft}) {
    for (float v : mask_targets(ctx, disc_and_bar(ctx), input, {rule, 5}).to_vector<float>(ctx)) {
      REQUIRE((v >= 0 && v <= 1));
    }
  }
  REQUIRE_THROWS_WITH(mask_targets(ctx, disc_and_bar(ctx), input, {MaskTargetRule::polygon, 5}),
                      Catch::Contains("needs polygons"));
  REQUIRE(mask_targets(ctx, disc_and_bar(ctx), input_of(ctx, {}, {}), {}).elements() == 0);
}

TEST_CASE("the bitmap body gives the same on a crew") {
  Context& ctx = cpu_context();
  const InstanceMasks masks = disc_and_bar(ctx);
  const auto input = input_of(ctx, {1.2f, 0.7f, 8.9f, 7.3f, 6.f, -2.f, 13.f, 4.f}, {1, -1});
  const Tensor solo = mask_targets(ctx, masks, input, {MaskTargetRule::bitmap_soft, 5});
  const Tensor crew = Tensor::full(ctx, solo.shape(), -1);
  crew::run(3, 10,
            BitmapTarget{masks.pixels.data<uint8_t>(), masks.crops.data<int32_t>(), masks.offsets.data<int64_t>(),
                         input.rois.data<float>(), input.image.data<int32_t>(), input.truth.data<int32_t>(),
                         input.frame.data<int32_t>(), crew.data<float>(), 5, 2, false});
  REQUIRE(solo.to_vector<float>(ctx) == crew.to_vector<float>(ctx));
}
