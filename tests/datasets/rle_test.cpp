#include "datasets/mask/rle.h"

#include <catch2/catch.hpp>

#include <fstream>
#include <random>

#include "datasets/mask/iou.h"
#include "tensor/error.h"

using namespace tailseg;
using Catch::Matchers::Contains;

namespace {

std::vector<uint32_t> runs(const std::string& text) {
  std::vector<uint32_t> out;
  rle_from_string(text, out);
  return out;
}

}  // namespace

TEST_CASE("run lists and texts of METHODS 8.5") {
  const std::vector<std::pair<std::vector<uint32_t>, std::string>> vectors = {{{7, 2, 4, 2, 4, 2, 21}, "724000a0"},
                                                                              {{7, 2, 4, 3, 4, 1, 21}, "72410Na0"},
                                                                              {{0, 42}, "0Z1"},
                                                                              {{0, 2, 4, 2, 4, 2, 28}, "024000h0"},
                                                                              {{42}, "Z1"}};
  for (const auto& [counts, text] : vectors) {
    REQUIRE(rle_to_string(counts) == text);
    REQUIRE(runs(text) == counts);
  }
}

TEST_CASE("run lengths up to the largest survive the text, also with differences of both signs") {
  const std::vector<uint32_t> counts = {0, 1, 15, 16, 31, 32, 1023, 4294967295u, 0, 4294967295u, 5};
  REQUIRE(runs(rle_to_string(counts)) == counts);
}

TEST_CASE("texts that are no runs are refused") {
  REQUIRE_THROWS_WITH(runs("7a"), Contains("ends within a run"));
  REQUIRE_THROWS_WITH(runs("7 2"), Contains("character 1 (code 32)"));
  REQUIRE_THROWS_WITH(runs("oooooooooo0"), Contains("longer than any mask"));
  REQUIRE_THROWS_WITH(runs("O"), Contains("has length -1"));
  REQUIRE_THROWS_WITH(check_rle({6, 7, std::vector<uint32_t>{40}}), Contains("cover 40 pixels"));
  REQUIRE_THROWS_AS(check_rle({100000, 100000, std::vector<uint32_t>{}}), Error);
}

TEST_CASE("encoding is column by column, zeros first") {
  const std::vector<uint8_t> mask = {1, 0, 0,  // [2, 3] row-major
                                     1, 0, 1};
  const Rle rle = rle_encode(mask, 2, 3);
  REQUIRE(rle.counts == std::vector<uint32_t>{0, 2, 3, 1});
  std::vector<uint8_t> back(6, 9);
  rle_decode(rle, back);
  REQUIRE(back == mask);
  REQUIRE(rle_area(rle) == 3);
  REQUIRE(rle_box(rle) == Box{0, 0, 3, 2});
  REQUIRE_THROWS_AS(rle_encode(mask, 3, 3), Error);
  REQUIRE_THROWS_AS(rle_decode(rle, std::span(back).first(5)), Error);
}

TEST_CASE("random masks survive encoding, text and decoding; area, union and intersection count pixels") {
  std::mt19937 random(3);
  for (int round = 0; round < 200; ++round) {
    const int32_t height = 1 + static_cast<int32_t>(random() % 20), width = 1 + static_cast<int32_t>(random() % 20);
    const auto pixels = static_cast<size_t>(height * width);
    std::vector<uint8_t> a(pixels), b(pixels), back(pixels);
    int64_t in_a = 0, in_both = 0, in_any = 0;
    for (size_t i = 0; i < pixels; ++i) {
      a[i] = random() % 3 == 0;
      b[i] = random() % 4 != 0;
      in_a += a[i];
      in_both += a[i] && b[i];
      in_any += a[i] || b[i];
    }
    const Rle mask_a = rle_encode(a, height, width), mask_b = rle_encode(b, height, width);
    REQUIRE(runs(rle_to_string(mask_a.counts)) == mask_a.counts);
    rle_decode(mask_a, back);
    REQUIRE(back == a);
    REQUIRE(rle_area(mask_a) == in_a);
    REQUIRE(rle_intersection(mask_a, mask_b) == in_both);
    const Rle any = rle_union(std::vector{mask_a, mask_b});
    REQUIRE(rle_area(any) == in_any);
    rle_decode(any, back);
    for (size_t i = 0; i < pixels; ++i) REQUIRE(back[i] == (a[i] || b[i]));
    REQUIRE(rle_encode(back, height, width).counts == any.counts);
  }
}

TEST_CASE("a run over a column's end takes the box over the full height, as in maskApi") {
  REQUIRE(rle_box(Rle{4, 5, {6, 3, 11}}) == Box{1, 0, 2, 4});  // rows 2, 3 of column 1 and row 0 of column 2
  REQUIRE(rle_box(Rle{4, 5, {6, 2, 12}}) == Box{1, 2, 1, 2});
  REQUIRE(rle_box(Rle{4, 5, {20}}) == Box{0, 0, 0, 0});
}

TEST_CASE("union of masks of different sizes is refused") {
  REQUIRE_THROWS_AS(rle_union(std::vector{Rle{2, 3, {6}}, Rle{3, 2, {6}}}), Error);
}

TEST_CASE("union and IoU of pairs equal pycocotools") {
  std::ifstream file(std::string(TAILSEG_GOLDEN_DIR) + "/masks/pairs.txt");
  int32_t height, width;
  std::string a, b, merged;
  double plain, crowd, boxes;
  int count = 0;
  while (file >> height >> width >> a >> b >> merged >> plain >> crowd >> boxes) {
    const Rle first{height, width, runs(a)}, second{height, width, runs(b)};
    const MeasuredMask one(first), two(second);
    REQUIRE(rle_to_string(rle_union(std::vector{first, second}).counts) == merged);
    REQUIRE(mask_iou(one, two, false) == plain);
    REQUIRE(mask_iou(one, two, true) == crowd);
    REQUIRE(box_iou(one.box, two.box, false) == boxes);
    ++count;
  }
  REQUIRE(count == 60);
}
