#include "datasets/synthetic/trace.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "datasets/mask/iou.h"
#include "datasets/mask/polygon.h"
#include "tensor/philox.h"

using namespace tailseg;
using synthetic::trace_polygons;

namespace {

struct Picture {
  int64_t width, height;
  std::vector<uint8_t> mask;
};

Picture drawn(const std::vector<std::string>& rows) {
  Picture picture{static_cast<int64_t>(rows[0].size()), static_cast<int64_t>(rows.size()), {}};
  for (const std::string& row : rows) {
    for (const char c : row) picture.mask.push_back(c == '#');
  }
  return picture;
}

// Intersection over union of a mask and its polygons, rasterised as the COCO API does.
double fidelity(const Picture& p, const std::vector<std::vector<double>>& polygons) {
  const auto w = static_cast<int32_t>(p.width), h = static_cast<int32_t>(p.height);
  std::vector<Rle> parts;
  for (const auto& polygon : polygons) parts.push_back(polygon_to_rle(polygon, h, w));
  return mask_iou(MeasuredMask(rle_union(parts)), MeasuredMask(rle_encode(p.mask, h, w)), false);
}

int64_t count(const Picture& p) {
  int64_t pixels = 0;
  for (const uint8_t value : p.mask) pixels += value;
  return pixels;
}

}  // namespace

TEST_CASE("simple masks give the polygons that one expects") {
  const Picture square = drawn({".....", ".###.", ".###.", ".###.", "....."});
  const auto polygons = trace_polygons(square.mask, 5, 5);
  REQUIRE(polygons.size() == 1);
  CHECK(fidelity(square, polygons) >= 0.97);
  const Picture pixel = drawn({"...", ".#.", "..."});
  CHECK(trace_polygons(pixel.mask, 3, 3) == std::vector<std::vector<double>>{{1, 1, 2, 1, 2, 2, 1, 2}});
  CHECK(trace_polygons(drawn({"..", ".."}).mask, 2, 2).empty());
  const Picture full = drawn({"###", "###"});
  CHECK(fidelity(full, trace_polygons(full.mask, 3, 2)) == 1.0);
  CHECK(synthetic::polygon_area(trace_polygons(full.mask, 3, 2)) == 6.0);
}

TEST_CASE("parts that touch at corners become polygons of their own") {
  const Picture diagonal = drawn({"#...", ".#..", "..#.", "...#"});
  const auto polygons = trace_polygons(diagonal.mask, 4, 4);
  CHECK(polygons.size() == 4);
  CHECK(fidelity(diagonal, polygons) == 1.0);
  CHECK(synthetic::polygon_area(polygons) == 4.0);
}

TEST_CASE("holes stay holes, nested parts and several holes included") {
  const Picture picture = drawn({
      "#############",  //
      "#...#.....###",  //
      "#.#.#.###.#.#",  //
      "#...#.#.#.###",  //
      "#####.###.#.#",  //
      "#...#.....#.#",  //
      "#############",
  });
  const auto polygons = trace_polygons(picture.mask, picture.width, picture.height);
  CHECK(polygons.size() == 3);  // the frame, the pixel and the ring inside it
  CHECK(fidelity(picture, polygons) == 1.0);
  CHECK(synthetic::polygon_area(polygons) == static_cast<double>(count(picture)));
}

TEST_CASE("smooth shapes keep to 0.97 with few corners") {
  for (int radius = 6; radius <= 40; radius += 2) {
    Picture ring{90, 90, {}};
    for (int y = 0; y < 90; ++y) {
      for (int x = 0; x < 90; ++x) {
        const double r = std::hypot(x + 0.5 - 45.3, y + 0.5 - 44.8);
        ring.mask.push_back(r < radius && r > radius * 0.45);
      }
    }
    const auto polygons = trace_polygons(ring.mask, 90, 90);
    INFO("radius " << radius);
    REQUIRE(polygons.size() == 1);
    CHECK(fidelity(ring, polygons) >= 0.97);
    CHECK(polygons[0].size() < static_cast<size_t>(20 + 11 * radius));  // half of the pixels' sides, x and y
    CHECK(synthetic::polygon_area(polygons) == Approx(static_cast<double>(count(ring))).epsilon(0.04));
  }
}

TEST_CASE("no mask, however ragged, falls below 0.97") {
  for (uint32_t round = 0; round < 300; ++round) {
    RandomStream random({round, random_purpose("ragged masks")}, 0, 0);
    Picture picture{1 + random.below(24), 1 + random.below(24), {}};
    const float density = random.uniform(0.05f, 0.95f);
    for (int64_t i = 0; i < picture.width * picture.height; ++i) picture.mask.push_back(random.uniform() < density);
    if (count(picture) == 0) continue;
    const auto polygons = trace_polygons(picture.mask, picture.width, picture.height);
    INFO("round " << round);
    REQUIRE(fidelity(picture, polygons) >= 0.97);
    for (const auto& polygon : polygons) REQUIRE((polygon.size() >= 6 && polygon.size() % 2 == 0));
  }
}
