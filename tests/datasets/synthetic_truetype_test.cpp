// Glyphs of fonts made byte by byte: curves, compound glyphs, every kind of map; and fonts that lie about themselves.
#include "datasets/synthetic/truetype.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "tensor/error.h"
#include "tests/datasets/tiny_font.h"

using namespace tailseg;
using namespace tailseg::synthetic;
using namespace tiny_font;
using Catch::Matchers::Contains;

namespace {

TrueTypeFont read(const std::string& bytes) { return {{bytes.begin(), bytes.end()}, "tiny.ttf"}; }

const std::string kSquare = glyph({{{0, 0}, {0, 100}, {100, 100}, {100, 0}}});

double area(const std::vector<Contour>& contours) {
  double twice = 0;
  for (const Contour& c : contours) {
    for (size_t i = 0; i < c.size(); ++i) {
      const auto &p = c[i], &q = c[(i + 1) % c.size()];
      twice += p.x * q.y - q.x * p.y;
    }
  }
  return std::abs(twice / 2);
}

std::pair<double, double> corner(const std::vector<Contour>& contours) {  // the least x and y
  double x = 1e30, y = 1e30;
  for (const Contour& c : contours) {
    for (const auto& p : c) x = std::min(x, p.x), y = std::min(y, p.y);
  }
  return {x, y};
}

}  // namespace

TEST_CASE("a glyph's curves are quadratic, and points between control points are implied") {
  // Four control points at the corners of a square of side 200, none on the curve: four parabolas between the middles
  // of the sides. Between a parabola and its chord lie 2/3 of the triangle with the control point; n pieces lose 1/n^2.
  const std::string blob = glyph({{{-100, -100, false}, {-100, 100, false}, {100, 100, false}, {100, -100, false}}});
  // The same from a point on the curve, first and last.
  const std::string first =
      glyph({{{0, -100}, {-100, -100, false}, {-100, 100, false}, {100, 100, false}, {100, -100, false}}});
  const std::string last =
      glyph({{{-100, -100, false}, {-100, 100, false}, {100, 100, false}, {100, -100, false}, {0, -100}}});
  const TrueTypeFont font = read(tiny_font::font({"", blob, first, last, ""}));
  const double triangles = 20'000, curves = 4 * (5000.0 * 2 / 3);  // within the middles; between chords and parabolas
  for (int64_t g : {1, 2, 3}) {
    REQUIRE(font.contours(g).size() == 1);
    CHECK(area(font.contours(g)) == Approx(triangles + curves * (1 - 1.0 / 36)));
  }
  CHECK(font.contours(0).empty());
  CHECK(font.contours(4).empty());
  CHECK(font.contours(77).empty());
}

TEST_CASE("a compound glyph is its parts, shifted, scaled, turned, or joined at points") {
  const int shift = 3, bytes = 2, joined = 1;
  const std::vector<std::string> glyphs = {
      "",
      kSquare,
      compound({{shift, 1, u16(300) + u16(-50)}}),
      compound({{bytes | 8, 1, std::string("\x0a\xf6") + u16(0x2000)}}),         // half as large, at (10, -10)
      compound({{shift | 64, 1, u16(0) + u16(0) + u16(0x6000) + u16(0x4000)}}),  // 1.5 times as wide
      compound({{shift | 128, 1, u16(0) + u16(0) + u16(0) + u16(0x4000) + u16(-0x4000) + u16(0)}}),  // a quarter turn
      compound({{shift, 1, u16(0) + u16(0)}, {joined, 1, u16(2) + u16(0)}}),  // its point 0 at the first's point 2
      compound({{shift, 2, u16(1) + u16(2)}, {shift, 1, u16(0) + u16(0)}}),   // a part of a part
      ""};
  const TrueTypeFont font = read(tiny_font::font(glyphs));
  using Corner = std::pair<double, double>;
  CHECK(corner(font.contours(2)) == Corner(300, -50));
  CHECK(corner(font.contours(3)) == Corner(10, -10));
  CHECK(area(font.contours(3)) == Approx(2500));
  CHECK(area(font.contours(4)) == Approx(15'000));
  CHECK(corner(font.contours(5)) == Corner(-100, 0));  // (x, y) to (-y, x)
  CHECK(area(font.contours(6)) == Approx(20'000));
  CHECK(font.contours(6)[1][0].x == 100);
  CHECK(font.contours(6)[1][0].y == 100);
  CHECK(corner({font.contours(7)[0]}) == Corner(301, -48));
}

TEST_CASE("maps of every format that is read") {
  const std::vector<std::string> glyphs = {"", kSquare, kSquare, kSquare, ""};
  const auto with = [&](const std::string& map) { return read(tiny_font::font(glyphs, map)); };
  std::string list(256, '\0');
  list['B'] = 2;
  const std::string groups =
      u32(0) + u32(0) + u32(2) + u32('A') + u32('B') + u32(2) + u32(0x1F600) + u32(0x1F601) + u32(1);
  // Format 4 through a list of glyphs: B, C -> 3, 0.
  const std::string listed = u16(4) + u16(40) + u16(0) + u16(4) + u16(0) + u16(0) + u16(0) + u16('C') + u16(0xFFFF) +
                             u16(0) + u16('B') + u16(0xFFFF) + u16(0) + u16(1) + u16(4) + u16(0) + u16(3) + u16(0);
  CHECK(with(u16(0) + u16(262) + u16(0) + list).glyph_of('B') == 2);
  CHECK(with(u16(0) + u16(262) + u16(0) + list).glyph_of(0x1000) == 0);
  CHECK(with(u16(6) + u16(14) + u16(0) + u16('A') + u16(2) + u16(3) + u16(1)).glyph_of('B') == 1);
  CHECK(with(u16(6) + u16(14) + u16(0) + u16('A') + u16(2) + u16(3) + u16(1)).glyph_of('C') == 0);
  CHECK(with(u16(12) + u16(0) + groups).glyph_of('B') == 3);
  CHECK(with(u16(12) + u16(0) + groups).glyph_of(0x1F601) == 2);
  CHECK(with(u16(12) + u16(0) + groups).glyph_of('C') == 0);
  CHECK(with(u16(13) + u16(0) + groups).glyph_of('B') == 2);
  CHECK(with(listed).glyph_of('A') == 0);
  CHECK(with(listed).glyph_of('B') == 3);
  CHECK(with(listed).glyph_of('C') == 0);
  CHECK(with(listed).glyph_of('D') == 0);
  CHECK_THROWS_WITH(with(u16(2) + u16(0)), Contains("tiny.ttf") && Contains("no Unicode map"));
  CHECK_THROWS_WITH(with(u16(12) + u16(0) + u32(0) + u32(0) + u32(0x7FFFFFFF)), Contains("longer than its table"));
}

TEST_CASE("glyphs that are parts of themselves, or of more parts than any font's, are refused by name") {
  const auto part = [](int g) { return Part{3, g, u16(0) + u16(0)}; };
  const auto first_of = [](const std::vector<std::string>& glyphs) { return read(font(glyphs)).contours(1); };
  CHECK_THROWS_WITH(first_of({"", compound({part(1)}), ""}), Contains("tiny.ttf") && Contains("part of itself"));
  CHECK_THROWS_WITH(first_of({"", compound({part(2)}), compound({part(1)}), ""}), Contains("part of itself"));
  std::vector<std::string> doubling = {""};  // 2^14 parts of parts
  for (int g = 1; g < 15; ++g) doubling.push_back(compound({part(g + 1), part(g + 1)}));
  doubling.push_back(kSquare);
  CHECK_THROWS_WITH(first_of(doubling), Contains("more than 256 parts"));
  CHECK(first_of({"", compound({part(2)}), compound({part(3)}), kSquare, ""}).size() == 1);
  CHECK_THROWS_WITH(first_of({"", compound({{1, 2, u16(0) + u16(0)}}), kSquare, ""}), Contains("point that is not"));
  // 65,536 points in 520 bytes: flags that repeat, and coordinates that stay.
  std::string large = u16(1) + std::string(8, '\0') + u16(0xFFFF) + u16(0);
  for (int i = 0; i < 256; ++i) large += "\x39\xff";
  CHECK(read(font({"", large, ""})).contours(1)[0].size() == 65'536);
  CHECK_THROWS_WITH(first_of({"", compound({part(2), part(2), part(2), part(2), part(2)}), large, ""}),
                    Contains("more than 262144 points"));
}

TEST_CASE("fonts that are cut, or point outside themselves, are refused wherever it is") {
  const std::string whole = font({"", kSquare, compound({{3, 1, u16(0) + u16(0)}}), ""});
  const auto all = [](const std::string& bytes) {
    const TrueTypeFont one = read(bytes);
    for (uint32_t c = 0; c < 300; ++c) (void)one.contours(one.glyph_of(c));
  };
  REQUIRE_NOTHROW(all(whole));
  for (size_t size = 0; size < whole.size() - 3; ++size) CHECK_THROWS_AS(all(whole.substr(0, size)), Error);
  CHECK_THROWS_WITH(all("OTTO" + whole.substr(4)), Contains("CFF outlines"));
  const std::string short_glyph = font({"", kSquare.substr(0, 20), ""});
  CHECK_THROWS_WITH(all(short_glyph), Contains("damaged"));
  const std::string backwards = u16(2) + std::string(8, '\0') + u16(5) + u16(3) + std::string(60, '\0');
  CHECK_THROWS_WITH(all(font({"", backwards, ""})), Contains("do not follow each other"));
  std::string rising = whole;  // the first place in loca beyond the second
  const size_t loca = rising.find("loca");
  const auto begin = static_cast<size_t>(static_cast<uint8_t>(rising[loca + 10])) << 8 |
                     static_cast<size_t>(static_cast<uint8_t>(rising[loca + 11]));
  rising[begin + 4 + 1] = '\x7f';
  CHECK_THROWS_WITH(all(rising), Contains("outside its table"));
}
