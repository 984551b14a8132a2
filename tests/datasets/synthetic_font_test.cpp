// Glyphs of fonts made byte by byte: curves, compound glyphs; and fonts that lie about themselves.
#include "datasets/synthetic/font.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "tensor/error.h"
#include "tests/datasets/tiny_font.h"

using namespace tailseg;
using namespace tailseg::synthetic;
using namespace tiny_font;
using Catch::Matchers::Contains;

namespace {

std::vector<Outline> outlines_of(const std::string& bytes) {
  return Font({bytes.begin(), bytes.end()}, "tiny.ttf").outlines(10);
}

const std::string kSquare = glyph({{{0, 0}, {0, 100}, {100, 100}, {100, 0}}});

}  // namespace

TEST_CASE("a glyph's curves are quadratic, and points between control points are implied") {
  // Four control points at the corners of a square of side 200, none on the curve: four parabolas between the middles
  // of the sides. Between a parabola and its chord lie 2/3 of the triangle with the control point; 6 pieces lose 1/36.
  const std::string blob = glyph({{{-100, -100, false}, {-100, 100, false}, {100, 100, false}, {100, -100, false}}});
  const std::vector<Outline> found = outlines_of(font({"", blob, ""}));
  REQUIRE(found.size() == 1);
  REQUIRE(found[0].contours.size() == 1);
  const double area = 20'000 + 4 * (5000.0 * 2 / 3) * (1 - 1.0 / 36);         // between the middles, and beyond them
  CHECK(std::abs(outline_area(found[0])) == Approx(area / (100 * 100 * 2)));  // its half diagonal is 100 sqrt 2
}

TEST_CASE("a compound glyph is its parts, shifted") {
  const int words = 3;  // arguments are shifts, of two bytes
  const std::string two = compound({{words, 1, u16(0) + u16(0)}, {words, 1, u16(300) + u16(0)}});
  const std::vector<Outline> found = outlines_of(font({"", kSquare, two, ""}));
  REQUIRE(found.size() == 2);
  CHECK(found[0].contours.size() == 1);
  REQUIRE(found[1].contours.size() == 2);
  const double half = std::hypot(400, 100) / 2;
  CHECK(found[1].contours[1][0].x - found[1].contours[0][0].x == Approx(300 / half));
}

TEST_CASE("glyphs that are parts of themselves, of too many parts, or cut are refused by name") {
  const auto part = [](int g) { return Part{3, g, u16(0) + u16(0)}; };
  const auto file = Contains("tiny.ttf"), glyph_of_a = Contains("U+0041"), word = Contains("damaged");
  const auto damaged = file && glyph_of_a && word;
  CHECK_THROWS_WITH(outlines_of(font({"", compound({part(1)}), ""})), damaged);
  CHECK_THROWS_WITH(outlines_of(font({"", compound({part(2)}), compound({part(1)}), ""})), damaged);
  CHECK_THROWS_WITH(outlines_of(font({"", kSquare.substr(0, 14), ""})), damaged);
  const std::string backwards = u16(2) + std::string(8, '\0') + u16(5) + u16(3) + std::string(60, '\0');
  CHECK_THROWS_WITH(outlines_of(font({"", backwards, ""})), damaged);
  std::vector<std::string> doubling = {""};  // 2^14 squares, 4 points each: more than an outline holds
  for (int g = 1; g < 15; ++g) doubling.push_back(compound({part(g + 1), part(g + 1)}));
  doubling.push_back(kSquare);
  CHECK_THROWS_WITH(outlines_of(font(doubling)), damaged);
}

TEST_CASE("a font that is cut is an error or has fewer glyphs, wherever it is cut") {
  const std::string whole = font({"", kSquare, compound({{3, 1, u16(0) + u16(0)}, {3, 1, u16(300) + u16(0)}}), ""});
  REQUIRE(outlines_of(whole).size() == 2);
  size_t refused = 0;
  for (size_t size = 0; size < whole.size(); ++size) {
    try {
      const size_t glyphs = outlines_of(whole.substr(0, size)).size();
      CHECK(glyphs <= 2);
    } catch (const Error& error) {
      CHECK_THAT(error.what(), Contains("tiny.ttf"));
      ++refused;
    }
  }
  CHECK(refused > whole.size() / 2);
}
