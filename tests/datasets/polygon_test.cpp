#include "datasets/mask/polygon.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <random>

#include "datasets/mask/iou.h"
#include "tensor/error.h"

using namespace tailseg;

namespace {

// METHODS 8.5 taken literally: every fine point of every edge, then the changes of column between neighbours.
std::vector<uint32_t> slow_polygon(const std::vector<double>& xy, int h, int w) {
  std::vector<int> u, v;
  const size_t n = xy.size() / 2;
  const auto fine = [&](size_t i) { return static_cast<int>(5 * xy[i % xy.size()] + .5); };
  for (size_t i = 0; i < n; ++i) {
    int x0 = fine(2 * i), y0 = fine(2 * i + 1), x1 = fine(2 * i + 2), y1 = fine(2 * i + 3);
    const int dx = std::abs(x1 - x0), dy = std::abs(y1 - y0), steps = std::max(dx, dy);
    const bool flip = dx >= dy ? x0 > x1 : y0 > y1;
    if (flip) {
      std::swap(x0, x1);
      std::swap(y0, y1);
    }
    const double slope = steps == 0 ? 0
                         : dx >= dy ? static_cast<double>(y1 - y0) / dx
                                    : static_cast<double>(x1 - x0) / dy;
    for (int d = 0; d <= steps; ++d) {
      const int t = flip ? steps - d : d;
      u.push_back(dx >= dy ? x0 + t : static_cast<int>(x0 + slope * t + .5));
      v.push_back(dx >= dy ? static_cast<int>(y0 + slope * t + .5) : y0 + t);
    }
  }
  std::vector<uint32_t> places;
  for (size_t j = 1; j < u.size(); ++j) {
    if (u[j] == u[j - 1]) continue;
    const double x = (std::min(u[j], u[j - 1]) + .5) / 5 - .5;
    if (x != std::floor(x) || x < 0 || x > w - 1) continue;
    const double y = std::ceil(std::clamp((std::min(v[j], v[j - 1]) + .5) / 5 - .5, 0., static_cast<double>(h)));
    places.push_back(static_cast<uint32_t>(x) * static_cast<uint32_t>(h) + static_cast<uint32_t>(y));
  }
  const auto pixels = static_cast<uint32_t>(h * w);
  std::vector<uint8_t> inside(pixels);  // flip everything from each place on
  for (const uint32_t place : places) {
    for (uint32_t i = place; i < pixels; ++i) inside[i] ^= 1;
  }
  std::vector<uint32_t> counts = {0};
  for (uint32_t i = 0; i < pixels; ++i) {
    if (inside[i] != (counts.size() - 1) % 2) counts.push_back(0);
    ++counts.back();
  }
  return counts;
}

void compare_file(const std::string& name, int expected_rows) {
  std::ifstream file(std::string(TAILSEG_GOLDEN_DIR) + "/masks/" + name);
  int64_t id, pixels;
  int32_t height, width;
  std::string text;
  Box box;
  int rows = 0;
  while (file >> id >> height >> width >> text >> pixels >> box[0] >> box[1] >> box[2] >> box[3]) {
    size_t parts = 0;
    file >> parts;
    std::vector<Rle> masks;
    for (size_t i = 0; i < parts; ++i) {
      size_t length = 0;
      file >> length;
      std::vector<double> xy(length);
      for (double& value : xy) file >> value;
      masks.push_back(polygon_to_rle(xy, height, width));
    }
    const Rle mask = rle_union(masks);
    INFO(name << " row " << id);
    REQUIRE(rle_to_string(mask.counts) == text);
    REQUIRE(rle_area(mask) == pixels);
    REQUIRE(rle_box(mask) == box);
    ++rows;
  }
  REQUIRE(rows == expected_rows);
}

}  // namespace

TEST_CASE("polygons of METHODS 8.5") {
  const std::vector<std::pair<std::vector<double>, std::vector<uint32_t>>> vectors = {
      {{1, 1, 4, 1, 4, 3, 1, 3}, {7, 2, 4, 2, 4, 2, 21}},
      {{.5, .5, 3.5, .5, 3.5, 2.5, .5, 2.5}, {7, 2, 4, 2, 4, 2, 21}},
      {{1, 1, 5, 2, 2, 5}, {7, 2, 4, 3, 4, 1, 21}},
      {{0, 0, 7, 0, 7, 6, 0, 6}, {0, 42}},
      {{-1, -1, 3, -1, 3, 2.2, -1, 2.2}, {0, 2, 4, 2, 4, 2, 28}},
      {{1.2, 1.2, 1.4, 1.2, 1.4, 1.4, 1.2, 1.4}, {42}}};
  for (const auto& [polygon, counts] : vectors) REQUIRE(polygon_to_rle(polygon, 6, 7).counts == counts);
}

TEST_CASE("objects of LVIS equal pycocotools: text, pixels, box") { compare_file("lvis_objects.txt", 60); }

TEST_CASE("awkward polygons equal pycocotools: text, pixels, box") { compare_file("random_polygons.txt", 300); }

TEST_CASE("crossings computed directly equal the walk over all fine points") {
  std::mt19937 random(11);
  std::uniform_real_distribution<double> uniform(0, 1);
  for (int round = 0; round < 3000; ++round) {
    const int h = 1 + static_cast<int>(random() % 40), w = 1 + static_cast<int>(random() % 40);
    std::vector<double> xy(2 * (3 + random() % 8));
    for (double& value : xy) {
      value = round % 3 == 0 ? std::floor(uniform(random) * 500 - 50) / 10 : uniform(random) * 60 - 10;
      if (round % 7 == 0) value *= 20;
    }
    INFO("round " << round);
    REQUIRE(polygon_to_rle(xy, h, w).counts == slow_polygon(xy, h, w));
  }
}

TEST_CASE("self-intersection is even-odd within a polygon; a box is its four corners") {
  // a square walked twice covers nothing
  REQUIRE(polygon_to_rle(std::vector<double>{1, 1, 4, 1, 4, 3, 1, 3, 1, 1, 4, 1, 4, 3, 1, 3}, 6, 7).counts ==
          std::vector<uint32_t>{42});
  REQUIRE(box_to_rle({1, 1, 3, 2}, 6, 7).counts == std::vector<uint32_t>{7, 2, 4, 2, 4, 2, 21});
}

TEST_CASE("polygons far outside cost nothing and draw nothing") {
  REQUIRE(polygon_to_rle(std::vector<double>{-9e7, 2e7, -8e7, 9e7, -7e7, 3e7}, 6, 7).counts ==
          std::vector<uint32_t>{42});
  REQUIRE(polygon_to_rle(std::vector<double>{-9e7, -9e7, 9e7, -9e7, 9e7, 9e7, -9e7, 9e7}, 6, 7).counts ==
          std::vector<uint32_t>{0, 42});
}

TEST_CASE("polygons that are none are refused") {
  REQUIRE_THROWS_AS(polygon_to_rle(std::vector<double>{1, 1, 2, 2}, 6, 7), Error);
  REQUIRE_THROWS_AS(polygon_to_rle(std::vector<double>{1, 1, 2, 2, 3, 3, 4}, 6, 7), Error);
  REQUIRE_THROWS_AS(polygon_to_rle(std::vector<double>{1, 1, 2, 2, 3, std::nan("")}, 6, 7), Error);
  REQUIRE_THROWS_AS(polygon_to_rle(std::vector<double>{1, 1, 2, 2, 3, 1e9}, 6, 7), Error);
  REQUIRE_THROWS_AS(polygon_to_rle(std::vector<double>{1, 1, 2, 2, std::numeric_limits<double>::infinity(), 4}, 6, 7),
                    Error);
}
