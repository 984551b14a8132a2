// Expected sizes: mmcv's rescale_size, detectron2's ResizeShortestEdge and torchvision 0.14's GeneralizedRCNNTransform,
// run on the same sizes.
#include "datasets/image_transform.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <numeric>

#include "tensor/error.h"

using namespace tailseg;
using Catch::Matchers::Contains;

namespace {

Image gradient(int64_t width, int64_t height) {
  Image image(width, height);
  for (size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = static_cast<uint8_t>(i * 7 + i / 50);
  return image;
}

}  // namespace

TEST_CASE("resized sizes round as each reference does") {
  struct Case {
    ImageSize original;
    int64_t short_edge;
    ImageSize mmdetection, detectron2, torchvision;
  };
  const Case cases[] = {
      {{640, 480}, 800, {1067, 800}, {1067, 800}, {1066, 800}},
      {{480, 640}, 800, {800, 1067}, {800, 1067}, {800, 1066}},
      {{500, 375}, 800, {1067, 800}, {1067, 800}, {1066, 799}},
      {{427, 640}, 800, {800, 1199}, {800, 1199}, {799, 1199}},
      {{1000, 300}, 800, {1333, 400}, {1333, 400}, {1333, 399}},
      {{333, 500}, 800, {800, 1201}, {800, 1201}, {799, 1201}},
      {{612, 612}, 800, {800, 800}, {800, 800}, {800, 800}},
      {{640, 360}, 800, {1333, 750}, {1333, 750}, {1333, 749}},
      {{128, 128}, 800, {800, 800}, {800, 800}, {800, 800}},
      {{2000, 1500}, 800, {1067, 800}, {1067, 800}, {1066, 799}},
      {{1333, 800}, 800, {1333, 800}, {1333, 800}, {1333, 800}},
      {{1500, 800}, 800, {1333, 711}, {1333, 711}, {1332, 710}},
  };
  for (const Case& c : cases) {
    INFO(c.original.width << " x " << c.original.height);
    CHECK(resized_size(c.original, c.short_edge, 1333, Convention::kMmdetection) == c.mmdetection);
    CHECK(resized_size(c.original, c.short_edge, 1333, Convention::kDetectron2) == c.detectron2);
    CHECK(resized_size(c.original, c.short_edge, 1333, Convention::kTorchvision) == c.torchvision);
  }
  // Where the order of operations decides between mmdetection and detectron2.
  CHECK(resized_size({634, 317}, 800, 1333, Convention::kMmdetection) == ImageSize{1333, 666});
  CHECK(resized_size({634, 317}, 800, 1333, Convention::kDetectron2) == ImageSize{1333, 667});
  CHECK(resized_size({1984, 96}, 736, 1333, Convention::kMmdetection) == ImageSize{1333, 65});
  CHECK(resized_size({1984, 96}, 736, 1333, Convention::kDetectron2) == ImageSize{1333, 64});
  CHECK(resized_size({5000, 1}, 800, 1333, Convention::kTorchvision).height == 1);  // never 0
}

TEST_CASE("a batch is padded to the smallest bucket that holds it, or to a multiple") {
  InputConfig config;
  const std::vector<ImageSize> sizes = {{1067, 800}, {800, 801}};
  CHECK(padded_size(sizes, config) == ImageSize{1088, 832});
  config.buckets = {{1344, 1344}, {1344, 832}, {832, 1344}};
  CHECK(padded_size(sizes, config) == ImageSize{1344, 832});
  config.buckets = {{1344, 800}};
  CHECK(padded_size(sizes, config) == ImageSize{1088, 832});
}

TEST_CASE("normalised pixels are (value - mean) / std with zeros around them") {
  const Image photo = gradient(21, 13);
  for (const Convention rule : {Convention::kMmdetection, Convention::kDetectron2, Convention::kTorchvision}) {
    for (const bool flipped : {false, true}) {
      const InputConfig config = input_preset(rule);
      const Placement placement{{21, 13}, {34, 20}, flipped};
      const ImageSize padded{64, 32};
      RowResizer resizer;
      std::vector<float> out(64 * 32 * 3, 99.0f);
      write_pixels(photo, placement, config, padded, resizer, out.data());
      std::vector<float> row(34 * 3);
      resizer.start(photo, 34, 20, config.resampler);
      for (int64_t y = 0; y < 32; ++y) {
        if (y < 20) resizer.row(y, row.data());
        for (int64_t x = 0; x < 64; ++x) {
          for (int64_t c = 0; c < 3; ++c) {
            const float value = out[(y * 64 + x) * 3 + c];
            if (x >= 34 || y >= 20) {
              REQUIRE(value == 0.0f);
              continue;
            }
            const int64_t from = flipped ? 33 - x : x, channel = rule == Convention::kDetectron2 ? 2 - c : c;
            const double expected = (row[from * 3 + channel] - double(config.mean[c])) / config.std[c];
            REQUIRE(value == Approx(expected).epsilon(1e-5).margin(1e-5));
          }
        }
      }
    }
  }
}

TEST_CASE("the presets carry the published statistics") {
  const InputConfig mmdetection = input_preset(Convention::kMmdetection);
  const InputConfig detectron2 = input_preset(Convention::kDetectron2);
  const InputConfig torchvision = input_preset(Convention::kTorchvision);
  const double mean[3] = {0.485, 0.456, 0.406}, std[3] = {0.229, 0.224, 0.225};  // torchvision's, for pixels in 0..1
  for (size_t c = 0; c < 3; ++c) {
    CHECK(torchvision.mean[c] == Approx(mean[c] * 255).epsilon(1e-6));
    CHECK(torchvision.std[c] == Approx(std[c] * 255).epsilon(1e-6));
    CHECK(detectron2.mean[c] == mmdetection.mean[2 - c]);
    CHECK(detectron2.std[c] == 1.0f);
  }
  CHECK((detectron2.bgr && !mmdetection.bgr && !torchvision.bgr));
}

TEST_CASE("without mean and std the input is the resized picture in the network's channel order") {
  const Image photo = gradient(10, 8);
  InputConfig config = input_preset(Convention::kDetectron2);
  config.mean = {0, 0, 0};
  RowResizer resizer;
  std::vector<float> out(32 * 32 * 3, 7);
  write_pixels(photo, {{10, 8}, {15, 12}, true}, config, {32, 32}, resizer, out.data());
  const Image expected = resize_image(photo, 15, 12, Resampler::kPillowTriangle);
  for (int64_t y = 0; y < 32; ++y) {
    for (int64_t x = 0; x < 32; ++x) {
      for (int64_t c = 0; c < 3; ++c) {
        const float value = out[(y * 32 + x) * 3 + c];
        REQUIRE(value == (x < 15 && y < 12 ? expected.row(y)[(14 - x) * 3 + 2 - c] : 0));
      }
    }
  }
}

TEST_CASE("settings that make no sense are refused") {
  const auto refused = [](auto change) {
    InputConfig config;
    change(config);
    CHECK_THROWS_AS(check_input_config(config), Error);
  };
  CHECK_NOTHROW(check_input_config({}));
  refused([](InputConfig& c) { c.short_edges.clear(); });
  refused([](InputConfig& c) { c.short_edges = {800, 0}; });
  refused([](InputConfig& c) { c.long_edge = 700; });
  refused([](InputConfig& c) { c.flip_probability = 1.5; });
  refused([](InputConfig& c) { c.std[1] = 0; });
  refused([](InputConfig& c) { c.mean[2] = std::nanf(""); });
  refused([](InputConfig& c) { c.pad_multiple = 0; });
  refused([](InputConfig& c) { c.buckets = {{100, 64}}; });
  RowResizer resizer;
  std::vector<float> out(32 * 32 * 3);
  const Image photo = gradient(10, 8);
  CHECK_THROWS_AS(write_pixels(photo, {{8, 10}, {8, 10}, false}, {}, {32, 32}, resizer, out.data()), Error);
  CHECK_THROWS_AS(write_pixels(photo, {{10, 8}, {40, 8}, false}, {}, {32, 32}, resizer, out.data()), Error);
}
