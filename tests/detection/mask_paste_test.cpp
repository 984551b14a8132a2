// Expected values: torchvision 0.14.1's paste_masks_in_image, and torch's grid_sample at pixel centres (what
// mmdetection and detectron2 do), on masks whose probability (row i, column j, mask d) is ((7 i + 3 j + 5 d) mod 11)
// / 10.
#include "detection/mask_paste.h"

#include <catch2/catch.hpp>
#include <limits>
#include <string>

#include "tests/devices.h"

using namespace tailseg;

namespace {

constexpr int64_t kHeight = 9, kWidth = 11;

Tensor probabilities(Context& ctx) {
  std::vector<float> p;
  for (int d = 0; d < 3; ++d) {
    for (int i = 0; i < 4; ++i) {
      for (int j = 0; j < 4; ++j) p.push_back(static_cast<float>((7 * i + 3 * j + 5 * d) % 11) / 10.f);
    }
  }
  return Tensor::from(ctx, {3, 4, 4}, p);
}

Tensor boxes(Context& ctx) {
  return Tensor::from(ctx, {3, 4},
                      std::vector<float>{2.3f, 1.6f, 9.1f, 7.2f, -3.f, -2.5f, 4.4f, 5.5f, 8.2f, 5.1f, 14.9f, 12.f});
}

// The whole photo, column by column.
std::string photo(const PastedMasks& pasted, size_t d) {
  std::string out(size_t(kHeight * kWidth), '0');
  const PastedMask& m = pasted.masks[d];
  for (int64_t c = 0; c < m.width; ++c) {
    for (int64_t r = 0; r < m.height; ++r) {
      if (pasted.pixels[size_t(m.begin + c * m.height + r)]) out[size_t((m.x + c) * kHeight + m.y + r)] = '1';
    }
  }
  return out;
}

}  // namespace

TEST_CASE("masks pasted at pixel centres are grid_sample's") {
  for (Context* ctx : devices()) {
    const PastedMasks got =
        paste_masks(*ctx, probabilities(*ctx), boxes(*ctx), kHeight, kWidth, MaskPasteRule::bilinear);
    REQUIRE(photo(got, 0) ==
            "000000000000000000000000100000110100000110000000111000001011000001001100001000100000000000000000000");
    REQUIRE(photo(got, 1) ==
            "100010000100110000110110000111000000000000000000000000000000000000000000000000000000000000000000000");
    REQUIRE(photo(got, 2) ==
            "000000000000000000000000000000000000000000000000000000000000000000000000000000100000001110000000011");
  }
}

TEST_CASE("masks pasted by torchvision's rule are torchvision's") {
  for (Context* ctx : devices()) {
    const PastedMasks got =
        paste_masks(*ctx, probabilities(*ctx), boxes(*ctx), kHeight, kWidth, MaskPasteRule::torchvision);
    REQUIRE(photo(got, 0) ==
            "000000000000000000000100100000110100000111000000111000001011100001000100001000100000000000000000000");
    REQUIRE(photo(got, 1) ==
            "000011000100011000110011000111010000111000000000000000000000000000000000000000000000000000000000000");
    REQUIRE(photo(got, 2) ==
            "000000000000000000000000000000000000000000000000000000000000000000000000000001110000001111000000111");
  }
}

TEST_CASE("a box outside the photo, upside down or not a number gives an empty mask") {
  Context& ctx = cpu_context();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Tensor odd = Tensor::from(ctx, {3, 4}, std::vector<float>{40, 40, 60, 60, 5, 5, 2, 2, nan, 0, 5, 5});
  for (auto rule : {MaskPasteRule::bilinear, MaskPasteRule::torchvision}) {
    const PastedMasks got = paste_masks(ctx, probabilities(ctx), odd, kHeight, kWidth, rule);
    for (size_t d = 0; d < 3; ++d) REQUIRE(photo(got, d).find('1') == std::string::npos);
  }
  const PastedMasks none = paste_masks(ctx, Tensor::empty(ctx, {0, 4, 4}), Tensor::empty(ctx, {0, 4}), kHeight, kWidth,
                                       MaskPasteRule::bilinear);
  REQUIRE(none.masks.empty());
}
