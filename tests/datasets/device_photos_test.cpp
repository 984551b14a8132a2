// Photos placed by the kernel against write_pixels(), which resizes row by row and is itself compared with OpenCV,
// Pillow and torch: the same bits, whatever the resampler, the order of channels, the flip and the sizes.
#include "datasets/device_photos.h"

#include <catch2/catch.hpp>

#include "datasets/device_photos_body.h"
#include "tensor/error.h"
#include "tests/crew.h"
#include "tests/devices.h"

using namespace tailseg;

namespace {

Image noise(int64_t width, int64_t height, uint32_t seed) {
  Image image(width, height);
  for (uint8_t& v : image.pixels) v = static_cast<uint8_t>((seed = seed * 1664525u + 1013904223u) >> 24);
  return image;
}

struct Case {
  std::vector<Image> photos;
  std::vector<Placement> placements;
  ImageSize padded{96, 80};
};

// Larger, smaller, one pixel wide, one pixel in all, the same size, and one that fills the batch.
Case make_case() {
  Case out;
  const ImageSize sizes[][2] = {{{31, 17}, {90, 49}}, {{301, 203}, {61, 41}}, {{1, 40}, {3, 80}},
                                {{1, 1}, {7, 5}},     {{24, 24}, {24, 24}},   {{50, 77}, {96, 80}}};
  for (const auto& [original, resized] : sizes) {
    for (const bool flipped : {false, true}) {
      out.photos.push_back(noise(original.width, original.height, static_cast<uint32_t>(out.photos.size() + 1)));
      out.placements.push_back({original, resized, flipped});
    }
  }
  return out;
}

std::vector<float> on_the_cpu(const Case& c, const InputConfig& config) {
  const int64_t area = c.padded.width * c.padded.height * 3;
  std::vector<float> out(c.photos.size() * static_cast<size_t>(area), 7);
  RowResizer scratch;
  for (size_t n = 0; n < c.photos.size(); ++n) {
    write_pixels(c.photos[n], c.placements[n], config, c.padded, scratch, out.data() + int64_t(n) * area);
  }
  return out;
}

}  // namespace

TEST_CASE("photos placed on a device have the bits of those placed row by row") {
  const Case c = make_case();
  for (const Convention convention : {Convention::kMmdetection, Convention::kDetectron2, Convention::kTorchvision}) {
    for (const bool bgr : {false, true}) {
      InputConfig config = input_preset(convention);
      config.bgr = bgr;
      const std::vector<float> expected = on_the_cpu(c, config);
      for (Context* ctx : devices()) {
        INFO(ctx->device().name() << ", convention " << int(convention) << (bgr ? ", blue first" : ""));
        const Tensor placed = place_photos(*ctx, c.photos, c.placements, config, c.padded);
        REQUIRE(placed.shape() == Shape{int64_t(c.photos.size()), 80, 96, 3});
        CHECK((placed.to_vector<float>(*ctx) == expected));
      }
    }
  }
}

TEST_CASE("a crew places photos as a single lane does") {
  // One pixel wide, two high: rows 0 and 255 blended to 128, and a border that the photo does not reach.
  const std::vector<uint8_t> bytes{0, 0, 0, 255, 255, 255};
  const PhotoPlan plan{0, 0, 1, 0, 2, 1, 2, 1, 1, 2, 2};
  const std::vector<int32_t> first{0, 0}, weight{2048, 0, 1024, 1024};
  std::vector<float> out(2 * 2 * 3, 7);
  PlacePhotos<Resampler::kOpenCvLinear> body{
      bytes.data(), &plan, first.data(), weight.data(), out.data(), 2, 2, {0, 1, 2}, {1, 1, 2}, false, 6};
  crew::run(3, 4, body);
  CHECK(out == std::vector<float>{128, 127, 252, 0, 0, 0, 0, 0, 0, 0, 0, 0});
}

TEST_CASE("a photo that is not the one that was planned, or does not fit, is refused") {
  Context& ctx = cpu_context();
  const std::vector<Image> photos{noise(4, 4, 1)};
  const auto refused = [&](const Placement& placement, const char* words) {
    CHECK_THROWS_WITH(place_photos(ctx, photos, std::vector<Placement>{placement}, {}, {8, 8}), Catch::Contains(words));
  };
  refused({{4, 5}, {8, 8}, false}, "placing a photo of 4 x 4, expected 4 x 5");
  refused({{4, 4}, {9, 8}, false}, "placing a photo of 9 x 8 into 8 x 8");
  refused({{4, 4}, {8, 0}, false}, "placing a photo of 8 x 0");
  CHECK_THROWS_AS(place_photos(ctx, photos, {}, {}, {8, 8}), Error);
}
