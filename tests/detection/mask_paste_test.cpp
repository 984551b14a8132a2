// Expected values: torchvision 0.14.1's paste_masks_in_image, and torch's grid_sample at pixel centres (what
// mmdetection and detectron2 do), on masks whose probability (row i, column j, mask d) is ((7 i + 3 j + 5 d) mod 11)
// / 10.
#include "detection/mask_paste.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <limits>
#include <string>

#include "detection/mask_paste_body.h"
#include "tests/crew.h"
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

TEST_CASE("pasted probabilities are torchvision's soft masks") {
  // Of each mask: the sum over the photo, and one of its columns (3, 3 and 9).
  const std::vector<double> sums = {23.74773, 16.82386, 8.64463};
  const std::vector<std::vector<double>> columns = {
      {0.0, 0.06136, 0.23939, 0.70606, 0.62273, 0.46439, 0.63106, 0.33636, 0.0},
      {0.70227, 0.77727, 0.57727, 0.48977, 0.51477, 0.39545, 0.13182, 0.0, 0.0},
      {0.0, 0.0, 0.0, 0.0, 0.21405, 0.58099, 0.69318, 0.72045, 0.52273}};
  for (Context* ctx : devices()) {
    const PastedProbabilities got =
        paste_probabilities(*ctx, probabilities(*ctx), boxes(*ctx), kHeight, kWidth, MaskPasteRule::torchvision);
    for (size_t d = 0; d < 3; ++d) {
      const PastedMask& m = got.masks[d];
      double total = 0;
      std::vector<double> column(size_t{kHeight}, 0);
      for (int64_t c = 0; c < m.width; ++c) {
        for (int64_t r = 0; r < m.height; ++r) {
          const float value = got.pixels[size_t(m.begin + c * m.height + r)];
          total += value;
          if (m.x + c == (d == 2 ? 9 : 3)) column[size_t(m.y + r)] = value;
        }
      }
      REQUIRE(total == Approx(sums[d]).margin(1e-4));
      for (size_t r = 0; r < column.size(); ++r) REQUIRE(column[r] == Approx(columns[d][r]).margin(2e-5));
    }
  }
}

TEST_CASE("paste bodies give the same on a crew") {
  // Two masks of 4 x 4: the first fills 40 rows (more than one tile) of 3 columns, the second is empty.
  Context& ctx = cpu_context();
  const std::vector<float> masks = probabilities(ctx).to_vector<float>(ctx);
  const std::vector<PasteJob> jobs = {{{1, 0.9f, 0.5f}, {-2, 0.1f, 0.5f}, 0, 3, 3, 40, 0, 0},
                                      {{0, 1, 0.5f}, {0, 1, 0.5f}, 0, 0, 0, 0, 120, 3},
                                      {{2, 0.5f, -0.5f}, {3, 0.6f, -0.5f}, 2, 1, 2, 7, 120, 3}};
  const std::vector<int32_t> owner = {0, 0, 0, 2, 2};
  std::vector<float> blends(30), crew_blends(30), soft(134), crew_soft(134);
  std::vector<uint8_t> hard(134), crew_hard(134);
  const BlendMaskColumns blend{masks.data(), jobs.data(), owner.data(), blends.data(), 4};
  const PasteMaskColumn<float> paste{blends.data(), jobs.data(), owner.data(), soft.data(), 4, 134, 0, true};
  const PasteMaskColumn<uint8_t> cut{blends.data(), jobs.data(), owner.data(), hard.data(), 4, 134, 0.4f, true};
  for (int64_t i = 0; i < 5; ++i) blend(Solo{}, i);
  for (int64_t i = 0; i < 5; ++i) paste(Solo{}, i);
  for (int64_t i = 0; i < 5; ++i) cut(Solo{}, i);
  crew::run(3, 5, BlendMaskColumns{masks.data(), jobs.data(), owner.data(), crew_blends.data(), 4});
  REQUIRE(crew_blends == blends);
  crew::run(3, 5, PasteMaskColumn<float>{blends.data(), jobs.data(), owner.data(), crew_soft.data(), 4, 134, 0, true});
  REQUIRE(crew_soft == soft);
  crew::run(7, 5,
            PasteMaskColumn<uint8_t>{blends.data(), jobs.data(), owner.data(), crew_hard.data(), 4, 134, 0.4f, true});
  REQUIRE(crew_hard == hard);
  for (size_t i = 0; i < 134; ++i) REQUIRE(hard[i] == (soft[i] >= 0.4f));
  REQUIRE(std::count(hard.begin(), hard.end(), uint8_t{1}) > 5);
}
