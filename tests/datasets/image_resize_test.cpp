// tests/golden/images/resized.txt: the 9 x 7 picture of source_picture() made 13 x 10 and 4 x 3 by opencv 5.0
// (cv2.resize, INTER_LINEAR), Pillow 13 (Image.resize, BILINEAR) and torch 1.13 (interpolate, bilinear,
// align_corners=False, on float32). Per case: name, width, height, then the values [height, width, 3].
#include "datasets/image_resize.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <fstream>
#include <map>

#include "tensor/error.h"

using namespace tailseg;

namespace {

Image source_picture() {
  Image image(9, 7);
  for (int64_t y = 0; y < 7; ++y) {
    for (int64_t x = 0; x < 9; ++x) {
      uint8_t* pixel = image.row(y) + x * 3;
      pixel[0] = static_cast<uint8_t>(x * 37 + y * 101 + x * y * 13);
      pixel[1] = static_cast<uint8_t>(x * 53 + y * 29 + 7);
      pixel[2] = static_cast<uint8_t>(x * x * 11 + y * 71);
    }
  }
  return image;
}

const std::map<std::string, Resampler> kResamplers = {
    {"opencv", Resampler::kOpenCvLinear}, {"pillow", Resampler::kPillowTriangle}, {"torch", Resampler::kTorchLinear}};

std::vector<float> resized_floats(const Image& image, int64_t width, int64_t height, Resampler resampler,
                                  bool mirrored = false, bool bgr = false) {
  RowResizer resizer;
  resizer.start(image, width, height, resampler, mirrored, bgr);
  std::vector<float> out(static_cast<size_t>(width * height * 3));
  for (int64_t y = 0; y < height; ++y) resizer.row(y, out.data() + y * width * 3);
  return out;
}

}  // namespace

TEST_CASE("each resampler gives its original's pixels") {
  std::ifstream file(std::string(TAILSEG_GOLDEN_DIR) + "/images/resized.txt");
  std::string name;
  int64_t width = 0, height = 0;
  int cases = 0;
  while (file >> name >> width >> height) {
    INFO(name << ' ' << width << " x " << height);
    const std::vector<float> ours = resized_floats(source_picture(), width, height, kResamplers.at(name));
    const double tolerance = name == "torch" ? 1e-4 : 0.0;
    for (const float value : ours) {
      double expected = -1;
      REQUIRE(file >> expected);
      REQUIRE(std::abs(value - expected) <= tolerance);
    }
    ++cases;
  }
  CHECK(cases == 6);
}

TEST_CASE("resizing to the same size changes nothing, and one colour stays that colour") {
  const Image image = source_picture();
  Image grey(5, 4);
  for (auto& value : grey.pixels) value = 200;
  for (const auto& [name, resampler] : kResamplers) {
    INFO(name);
    CHECK(resize_image(image, image.width, image.height, resampler) == image);
    for (const auto& [width, height] : {std::pair{11, 3}, {1, 1}, {2, 17}}) {
      for (const uint8_t value : resize_image(grey, width, height, resampler).pixels) REQUIRE(value == 200);
    }
    CHECK(resize_image(Image(1, 1), 3, 2, resampler) == Image(3, 2));
    CHECK_THROWS_AS(resize_image(image, 0, 5, resampler), Error);
    CHECK_THROWS_AS(resize_image(Image(), 5, 5, resampler), Error);
  }
}

TEST_CASE("rows can be had mirrored and blue first") {
  const Image image = source_picture();
  for (const auto& [name, resampler] : kResamplers) {
    INFO(name);
    const auto plain = resized_floats(image, 13, 5, resampler);
    const auto turned = resized_floats(image, 13, 5, resampler, true, true);
    for (int64_t y = 0; y < 5; ++y) {
      for (int64_t x = 0; x < 13; ++x) {
        for (int64_t c = 0; c < 3; ++c) REQUIRE(turned[(y * 13 + x) * 3 + c] == plain[(y * 13 + 12 - x) * 3 + 2 - c]);
      }
    }
  }
}

TEST_CASE("a resizer used before gives the same rows for the next picture") {
  const Image image = source_picture();
  RowResizer used;
  const Image before(40, 30);
  used.start(before, 100, 90, Resampler::kPillowTriangle);
  std::vector<uint8_t> row(300);
  for (int64_t y = 0; y < 90; ++y) used.row(y, row.data());
  for (const auto& [name, resampler] : kResamplers) {
    used.start(image, 6, 11, resampler);
    const Image expected = resize_image(image, 6, 11, resampler);
    for (int64_t y = 0; y < 11; ++y) {
      used.row(y, row.data());
      REQUIRE(std::equal(row.begin(), row.begin() + 18, expected.row(y)));
    }
  }
}

TEST_CASE("masks are resized by nearest neighbour, by the corner or by the centre") {
  // By hand, and as cv2.resize(INTER_NEAREST) and Pillow's NEAREST have it.
  CHECK(nearest_positions(3, 4, NearestRule::kCorner) == std::vector<int32_t>{0, 0, 1, 2});
  CHECK(nearest_positions(3, 4, NearestRule::kCentre) == std::vector<int32_t>{0, 1, 1, 2});
  CHECK(nearest_positions(5, 2, NearestRule::kCorner) == std::vector<int32_t>{0, 2});
  CHECK(nearest_positions(5, 2, NearestRule::kCentre) == std::vector<int32_t>{1, 3});
  CHECK(nearest_positions(2, 2, NearestRule::kCorner) == std::vector<int32_t>{0, 1});
  CHECK_THROWS_AS(nearest_positions(0, 2, NearestRule::kCorner), Error);
}
