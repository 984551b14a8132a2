// Polygons also against the COCO rule walked point by point (METHODS 8.5) and against a test of every pixel's centre.
// Expected values: torchvision 0.14.1 (roi_align, project_masks_on_boxes) and pycocotools 2.0 on the same inputs.
#include "detection/mask_targets.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <random>
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

// Twelve outlines of 3 to 9 points, some crossing themselves, seen through RoIs that hold them, cut them or are tiny.
struct Outlines {
  std::vector<float> points, rois;
  std::vector<int32_t> polygon_begin{0}, instance_begin{0}, truth;

  Outlines() {
    std::mt19937 random(5);
    const auto draw = [&](float low, float high) {
      return low + (high - low) * static_cast<float>(random() % 1000003) / 1000003;
    };
    for (int32_t i = 0; i < 12; ++i) {
      const int32_t polygons = 1 + i % 2;
      for (int32_t p = 0; p < polygons; ++p) {
        const int count = 3 + static_cast<int>(random() % 7);
        const bool whole = i % 3 == 0;  // whole coordinates: ties
        for (int k = 0; k < 2 * count; ++k) points.push_back(whole ? std::round(draw(0, 60)) : draw(0, 60));
        polygon_begin.push_back(static_cast<int32_t>(points.size() / 2));
      }
      instance_begin.push_back(instance_begin.back() + polygons);
      for (int k = 0; k < 6; ++k) {
        const float x = std::round(draw(-10, 50)), y = draw(-10, 50), side = k == 0 ? 0.05f : draw(3, 70);
        rois.insert(rois.end(), {x, y, k == 1 ? x + 56 : x + side, y + draw(5, 60)});
        truth.push_back(i);
      }
    }
  }
  Tensor targets(Context& ctx, int64_t size, MaskTargetRule rule) const {
    const auto count = static_cast<int64_t>(truth.size());
    InstanceMasks masks;
    masks.points = Tensor::from(ctx, {static_cast<int64_t>(points.size() / 2), 2}, points);
    masks.polygon_begin = Tensor::from(ctx, {static_cast<int64_t>(polygon_begin.size())}, polygon_begin);
    masks.instance_begin = Tensor::from(ctx, {13}, instance_begin);
    const MaskTargetInput input{
        Tensor::from(ctx, {count, 4}, rois), Tensor::from(ctx, {count}, std::vector<int32_t>(truth.size(), 0)),
        Tensor::from(ctx, {count}, truth), Tensor::from(ctx, {1, 2}, std::vector<int32_t>{60, 60}), 12};
    return mask_targets(ctx, masks, input, {rule, size});
  }
  // A polygon's points in the grid of RoI r.
  std::vector<double> moved(size_t r, int32_t polygon, int64_t size) const {
    std::vector<double> out;
    for (auto i = static_cast<size_t>(2 * polygon_begin[size_t(polygon)]);
         i < static_cast<size_t>(2 * polygon_begin[size_t(polygon) + 1]); ++i) {
      const double low = rois[r * 4 + i % 2], extent = double(rois[r * 4 + 2 + i % 2]) - low;
      out.push_back((points[i] - low) * (double(size) / std::max(extent, 0.1)));
    }
    return out;
  }
};

// METHODS 8.5: the outline five times as fine, point by point; offsets where it enters and leaves columns; parity.
std::vector<uint8_t> walked_coco(const std::vector<double>& polygon, int64_t size) {
  const size_t count = polygon.size() / 2;
  std::vector<std::pair<int64_t, int64_t>> path;
  for (size_t i = 0; i < count; ++i) {
    const auto at = [&](size_t k) { return static_cast<int64_t>(5 * polygon[k] + .5); };
    const size_t j = (i + 1) % count;
    int64_t xs = at(2 * i), ys = at(2 * i + 1), xe = at(2 * j), ye = at(2 * j + 1);
    const int64_t dx = std::abs(xe - xs), dy = std::abs(ye - ys);
    const bool back = (dx >= dy && xs > xe) || (dx < dy && ys > ye);
    if (back) std::swap(xs, xe), std::swap(ys, ye);
    std::vector<std::pair<int64_t, int64_t>> edge;
    for (int64_t t = 0; t <= std::max(dx, dy); ++t) {
      if (dx >= dy) {
        const double slope = dx == 0 ? 0 : double(ye - ys) / double(dx);
        edge.push_back({xs + t, static_cast<int64_t>(double(ys) + slope * double(t) + .5)});
      } else {
        const double slope = double(xe - xs) / double(dy);
        edge.push_back({static_cast<int64_t>(double(xs) + slope * double(t) + .5), ys + t});
      }
    }
    if (back) std::reverse(edge.begin(), edge.end());
    path.insert(path.end(), edge.begin(), edge.end());
  }
  std::vector<int64_t> offsets;
  for (size_t i = 1; i < path.size(); ++i) {
    if (path[i].first == path[i - 1].first) continue;
    const double x = (double(std::min(path[i].first, path[i - 1].first)) + .5) / 5 - .5;
    if (std::floor(x) != x || x < 0 || x > double(size - 1)) continue;
    const double y = (double(std::min(path[i].second, path[i - 1].second)) + .5) / 5 - .5;
    offsets.push_back(static_cast<int64_t>(x) * size +
                      static_cast<int64_t>(std::ceil(std::clamp(y, 0.0, double(size)))));
  }
  std::vector<uint8_t> mask(static_cast<size_t>(size * size));
  for (int64_t column_major = 0; column_major < size * size; ++column_major) {
    const auto before = std::count_if(offsets.begin(), offsets.end(), [&](int64_t o) { return o <= column_major; });
    mask[static_cast<size_t>(column_major % size * size + column_major / size)] = before % 2;
  }
  return mask;
}

// Is each pixel's centre inside, by the ray that goes up from it.
std::vector<uint8_t> centres_inside(const std::vector<double>& polygon, int64_t size) {
  std::vector<uint8_t> mask;
  const size_t count = polygon.size() / 2;
  for (int64_t row = 0; row < size; ++row) {
    for (int64_t column = 0; column < size; ++column) {
      const double x = double(column) + .5, y = double(row) + .5;
      bool inside = false;
      for (size_t i = 0; i < count; ++i) {
        const double* a = &polygon[2 * i];
        const double* b = &polygon[2 * ((i + 1) % count)];
        if ((a[0] > x) != (b[0] > x) && y >= a[1] + (x - a[0]) * ((b[1] - a[1]) / (b[0] - a[0]))) inside = !inside;
      }
      mask.push_back(inside);
    }
  }
  return mask;
}

}  // namespace

TEST_CASE("polygon targets equal the outline walked point by point, or every centre tested") {
  const Outlines outlines;
  const auto rule = GENERATE(MaskTargetRule::polygon, MaskTargetRule::polygon_centres);
  const auto size = GENERATE(int64_t{7}, int64_t{28}, int64_t{64});
  Context& ctx = cpu_context();
  const std::vector<float> got = outlines.targets(ctx, size, rule).to_vector<float>(ctx);
  const auto pixels = static_cast<size_t>(size * size);
  size_t set = 0;
  for (size_t r = 0; r < outlines.truth.size(); ++r) {
    std::vector<uint8_t> expected(pixels, 0);
    const auto instance = static_cast<size_t>(outlines.truth[r]);
    for (int32_t p = outlines.instance_begin[instance]; p < outlines.instance_begin[instance + 1]; ++p) {
      const std::vector<double> polygon = outlines.moved(r, p, size);
      const auto mask = rule == MaskTargetRule::polygon ? walked_coco(polygon, size) : centres_inside(polygon, size);
      for (size_t i = 0; i < pixels; ++i) expected[i] |= mask[i];
    }
    INFO("RoI " << r);
    for (size_t i = 0; i < pixels; ++i) REQUIRE(got[r * pixels + i] == static_cast<float>(expected[i]));
    set += static_cast<size_t>(std::count(expected.begin(), expected.end(), 1));
  }
  REQUIRE(set > outlines.truth.size() * pixels / 20);
}

TEST_CASE("a square's sides through pixel centres: the upper and the left one count") {
  // From (0.5, 0.5) to (2.5, 2.5): centres on the upper and the left side are inside, those on the others are not.
  Context& ctx = cpu_context();
  InstanceMasks masks;
  masks.points = Tensor::from(ctx, {4, 2}, std::vector<float>{.5f, .5f, 2.5f, .5f, 2.5f, 2.5f, .5f, 2.5f});
  masks.polygon_begin = Tensor::from(ctx, {2}, std::vector<int32_t>{0, 4});
  masks.instance_begin = Tensor::from(ctx, {2}, std::vector<int32_t>{0, 1});
  auto input = input_of(ctx, {0, 0, 4, 4}, {0});
  input.capacity = 1;
  const Tensor got = mask_targets(ctx, masks, input, {MaskTargetRule::polygon_centres, 4});
  REQUIRE(digits(got.to_vector<float>(ctx)) == "1100110000000000");
}

TEST_CASE("the polygon body gives the same on a crew") {
  const Outlines outlines;
  Context& ctx = cpu_context();
  const auto rule = GENERATE(MaskTargetRule::polygon, MaskTargetRule::polygon_centres);
  const std::vector<float> solo = outlines.targets(ctx, 7, rule).to_vector<float>(ctx);
  std::vector<float> crew(solo.size(), -1);
  const std::vector<int32_t> image(outlines.truth.size(), 0);
  crew::run(3, static_cast<int64_t>(image.size()) * 7,
            PolygonTarget{outlines.points.data(), outlines.polygon_begin.data(), outlines.instance_begin.data(),
                          outlines.rois.data(), image.data(), outlines.truth.data(), crew.data(), 7, 12, 0.1,
                          rule == MaskTargetRule::polygon});
  REQUIRE(crew == solo);
}

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
