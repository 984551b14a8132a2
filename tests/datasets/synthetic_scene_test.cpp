#include "datasets/synthetic/scene.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <numeric>
#include <set>

#include "datasets/mask/iou.h"
#include "datasets/mask/polygon.h"
#include "datasets/synthetic/classes.h"
#include "datasets/synthetic/font.h"
#include "datasets/synthetic/trace.h"
#include "tensor/error.h"
#include "tests/datasets/tiny_font.h"

using namespace tailseg;
using namespace tailseg::synthetic;
using Catch::Matchers::Contains;

namespace {

// A font of five glyphs in a 1000-unit square: the missing glyph (empty), A a triangle, B a square with a square hole,
// C the same outline as A, and an empty glyph for the space.
class TinyFont {
 public:
  TinyFont() : path_(std::filesystem::temp_directory_path() / ("tailseg-font-" + std::to_string(getpid()) + ".ttf")) {
    const std::string triangle = tiny_font::glyph({{{0, 0}, {500, 1000}, {1000, 0}}});
    const std::string window = tiny_font::glyph(
        {{{0, 0}, {0, 1000}, {1000, 1000}, {1000, 0}}, {{250, 250}, {750, 250}, {750, 750}, {250, 750}}});
    std::ofstream(path_, std::ios::binary) << tiny_font::font({"", triangle, window, triangle, ""});
  }
  ~TinyFont() { std::filesystem::remove(path_); }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

std::vector<int32_t> some_classes(uint32_t scene, int64_t classes) {
  RandomStream random({scene, 1}, 0, 0);
  std::vector<int32_t> chosen(1 + random.below(6));
  for (int32_t& c : chosen) c = static_cast<int32_t>(random.below(static_cast<uint32_t>(classes)));
  return chosen;
}

}  // namespace

TEST_CASE("rasterised outlines have the area of their curves, wherever and however they lie") {
  for (const Outline& outline : shape_outlines()) {
    INFO(outline.name);
    const double area = outline_area(outline);
    CHECK(area > 0.5);
    CHECK(area < 3.2);
    for (const Contour& contour : outline.contours) {
      for (const Point& p : contour) REQUIRE(std::hypot(p.x, p.y) < 1.4);
    }
    for (const double angle : {0.0, 0.7, 2.9}) {
      const Pose pose{{50.3, 49.1}, 30, angle, 1.1};
      const Coverage cover = rasterise(outline, pose, 100, 100, 3);
      const double sum = std::accumulate(cover.inside.begin(), cover.inside.end(), 0.0);
      CHECK(sum == Approx(area * 900).epsilon(0.01));
      const Point p = pose.to_outline(pose.to_picture({0.3, -0.4}));
      CHECK((p.x == Approx(0.3) && p.y == Approx(-0.4)));
    }
  }
  const Coverage outside = rasterise(shape_outlines()[0], {{-200, 50}, 30, 0, 1}, 100, 100, 3);
  CHECK(outside.inside.empty());
}

TEST_CASE("the ring's area is that of two circles, and its hole is empty") {
  const auto& shapes = shape_outlines();
  const auto ring = std::find_if(shapes.begin(), shapes.end(), [](const Outline& o) { return o.name == "ring"; });
  REQUIRE(ring != shapes.end());
  CHECK(outline_area(*ring) == Approx(M_PI * (1 - 0.25)).epsilon(0.01));
  const Coverage cover = rasterise(*ring, {{32, 32}, 25, 0, 1}, 64, 64, 0);
  CHECK(cover.at(32, 32) == 0.0f);
  CHECK(cover.at(32, 32 + 19) == Approx(1.0f));
}

TEST_CASE("textures stay within their two colours and differ from each other") {
  std::set<std::vector<float>> patterns;
  for (int t = 0; t < kTextureCount; ++t) {
    std::vector<float> pattern;
    for (double v = -1; v <= 1; v += 0.05) {
      for (double u = -1; u <= 1; u += 0.05) {
        pattern.push_back(texture_share(static_cast<Texture>(t), u, v, 0.3, 0.03));
        REQUIRE((pattern.back() >= 0 && pattern.back() <= 1));
      }
    }
    patterns.insert(pattern);
  }
  CHECK(patterns.size() == static_cast<size_t>(kTextureCount));
  const Colour red = hsv(0, 1, 1), green = hsv(1.0 / 3, 1, 1), grey = hsv(0.77, 0, 0.5), again = hsv(-2.0 / 3, 1, 1);
  CHECK((red.r == 1 && red.g == 0 && red.b == 0));
  CHECK((green.r == Approx(0).margin(1e-6) && green.g == 1 && green.b == Approx(0).margin(1e-6)));
  CHECK((grey.r == 0.5f && grey.g == 0.5f && grey.b == 0.5f));
  CHECK(again.g == green.g);
}

TEST_CASE("every object of a scene shows as much as was asked, and its polygons cover what is seen") {
  const ClassList list = shape_classes(40, false);
  SceneConfig config;
  int64_t objects = 0, wanted = 0;
  double worst = 1, sum = 0;
  for (uint32_t s = 0; s < 60; ++s) {
    const std::vector<int32_t> classes = some_classes(s, 40);
    const Scene scene = paint_scene(list.looks, classes, config, {{9, 9}, 0, s});
    wanted += static_cast<int64_t>(classes.size());
    REQUIRE(scene.owner.size() == static_cast<size_t>(config.width * config.height));
    for (int32_t o = 0; o < static_cast<int32_t>(scene.classes.size()); ++o) {
      std::vector<uint8_t> mask;
      for (const int32_t owner : scene.owner) mask.push_back(owner == o);
      const int64_t seen = std::accumulate(mask.begin(), mask.end(), int64_t{0});
      const double smallest = 0.5 * config.smallest * 128;
      const double least_area = outline_area(*list.looks[scene.classes[o]].outline) * smallest * smallest;
      REQUIRE(static_cast<double>(seen) >= 0.95 * config.least_visible * least_area);
      std::vector<Rle> parts;
      for (const auto& polygon : trace_polygons(mask, 128, 128)) parts.push_back(polygon_to_rle(polygon, 128, 128));
      const double iou = mask_iou(MeasuredMask(rle_union(parts)), MeasuredMask(rle_encode(mask, 128, 128)), false);
      worst = std::min(worst, iou);
      sum += iou;
      ++objects;
    }
  }
  CHECK(worst > 0.95);
  CHECK(sum / static_cast<double>(objects) > 0.97);
  CHECK(static_cast<double>(objects) > 0.98 * static_cast<double>(wanted));  // few find no place
}

TEST_CASE("a scene is a function of its draws; later objects cover earlier ones") {
  const ClassList list = shape_classes(12, false);
  const Scene a = paint_scene(list.looks, {1, 2, 3}, {}, {{1, 2}, 3, 4}),
              b = paint_scene(list.looks, {1, 2, 3}, {}, {{1, 2}, 3, 4});
  CHECK(a.image == b.image);
  CHECK(a.owner == b.owner);
  CHECK_FALSE(paint_scene(list.looks, {1, 2, 3}, {}, {{1, 2}, 3, 5}).image == a.image);
  // Alone, the first object shows at least what it shows under the others.
  const Scene alone = paint_scene(list.looks, {1}, {}, {{1, 2}, 3, 4});
  for (size_t i = 0; i < a.owner.size(); ++i) REQUIRE((a.owner[i] != 0 || alone.owner[i] == 0));
}

TEST_CASE("classes of shapes are all different, as many as asked for") {
  for (const int64_t count : {1, 24, 152, 153, 1203, 1824}) {
    const ClassList list = shape_classes(count, false);
    REQUIRE(static_cast<int64_t>(list.looks.size()) == count);
    std::set<std::string> names;
    std::set<std::tuple<const Outline*, int, int>> looks;
    for (int64_t k = 0; k < count; ++k) {
      names.insert(list.classes[k].name);
      const ClassLook& look = list.looks[k];
      looks.insert({look.outline, static_cast<int>(look.texture), count > 152 ? static_cast<int>(look.hue * 1000) : 0});
    }
    CHECK(static_cast<int64_t>(names.size()) == count);
    CHECK(static_cast<int64_t>(looks.size()) == count);
  }
  CHECK_THROWS_WITH(shape_classes(1825, false), Contains("1824"));
  CHECK_THROWS_WITH(shape_classes(153, true), Contains("152"));
  CHECK_THROWS_AS(shape_classes(0, false), Error);
}

TEST_CASE("a font gives its visible, different glyphs, centred and upright") {
  const TinyFont font;
  const std::vector<Outline> outlines = Font(font.path()).outlines(10);
  REQUIRE(outlines.size() == 2);  // A and B: C looks like A, the space is empty
  CHECK(outlines[0].name == "U+0041");
  CHECK(outlines[1].name == "U+0042");
  const double half = std::hypot(1000, 1000) / 2;  // the scale
  CHECK(outline_area(outlines[0]) == Approx(0.5 * 1000 * 1000 / (half * half)));
  CHECK(outline_area(outlines[1]) == Approx(0.75 * 1000 * 1000 / (half * half)));
  CHECK(outlines[0].contours[0][1].y == Approx(-500 / half));  // the triangle's tip is above
  CHECK(outlines[0].contours[0][1].x == Approx(0).margin(1e-9));
  const ClassList list = glyph_classes(2, font.path());
  CHECK(list.looks[1].any_texture);
  CHECK_THROWS_WITH(glyph_classes(3, font.path()), Contains("2 different") && Contains("3 classes"));
  const std::string whole = [&] {
    std::ifstream file(font.path(), std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  }();
  for (const size_t size : {size_t(0), size_t(4), size_t(100), whole.size() / 2}) {
    std::ofstream(font.path(), std::ios::binary) << whole.substr(0, size);
    CHECK_THROWS_WITH(Font(font.path()), Contains(font.path()));
  }
  CHECK_THROWS_WITH(Font("/nowhere/font.ttf"), Contains("/nowhere/font.ttf"));
  CHECK_THROWS_WITH(Font(TAILSEG_SOURCE_DIR "/CMakeLists.txt"), Contains("CMakeLists.txt") && Contains("font"));
}
