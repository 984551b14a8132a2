// Drawing: coverage of shapes by hand-computed shares, glyphs well-formed and distinct, masks where they belong, labels
// apart from each other, sheets of the right size.
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <set>

#include "apps/picture/canvas.h"
#include "apps/picture/contact_sheet.h"
#include "apps/picture/glyphs.h"
#include "apps/picture/name_layout.h"
#include "apps/picture/overlay.h"
#include "apps/picture/stroke_font.h"
#include "tensor/error.h"

using namespace tailseg;

namespace {

constexpr Colour kRed{255, 0, 0};

Colour at(const Image& image, int64_t x, int64_t y) {
  const uint8_t* pixel = image.row(y) + x * 3;
  return {pixel[0], pixel[1], pixel[2]};
}

double ink(const Image& image) {
  double sum = 0;
  for (const uint8_t value : image.pixels) sum += value;
  return sum / 255 / 3;
}

PictureInstance square(int64_t x, int64_t y, int64_t side) {
  PictureInstance instance;
  instance.mask_x = x, instance.mask_y = y, instance.mask_width = side, instance.mask_height = side;
  instance.mask.assign(size_t(side * side), 1);
  return instance;
}

}  // namespace

TEST_CASE("rectangles and segments cover pixels by their share, and stop at the image") {
  Image image(4, 3);
  fill_rectangle(image, 0.5, 1, 2, 2.25, kRed, 1);
  CHECK(at(image, 0, 1).red == 128);  // half a pixel
  CHECK(at(image, 1, 1).red == 255);
  CHECK(at(image, 2, 1).red == 0);
  CHECK(at(image, 1, 2).red == 64);  // a quarter
  CHECK(at(image, 1, 0).red == 0);
  fill_rectangle(image, -1e9, -1e9, 1e9, 1e9, Colour{10, 20, 30}, 1);
  CHECK(at(image, 3, 2) == Colour{10, 20, 30});
  fill_rectangle(image, 3, 2, 1, 1, kRed, 1);  // turned inside out: nothing
  fill_rectangle(image, 50, 50, 60, 60, kRed, 1);
  CHECK(at(image, 2, 1) == Colour{10, 20, 30});
  blend(image, -1, 0, kRed, 1);
  blend(image, 4, 0, kRed, 1);
  blend(image, 0, 0, Colour{110, 120, 130}, 0.5);
  CHECK(at(image, 0, 0) == Colour{60, 70, 80});

  Image line(9, 9);
  draw_segment(line, 0, 4.5, 9, 4.5, 2, Colour{200, 0, 0}, 1);  // from y = 3.5 to 5.5
  CHECK(at(line, 4, 4).red == 200);
  CHECK(at(line, 4, 3).red == 100);
  CHECK(at(line, 4, 5).red == 100);
  CHECK(at(line, 4, 2).red == 0);
  Image small(2, 2);
  paste(line, Image(20, 20), -5, -5);
  CHECK(ink(line) == 0);
  paste(small, line, 5, 5);
}

TEST_CASE("instance colours differ from their neighbours") {
  for (int64_t i = 0; i < 40; ++i) {
    for (int64_t j = 1; j <= 3; ++j) {
      const Colour a = instance_colour(i), b = instance_colour(i + j);
      CHECK(std::abs(a.red - b.red) + std::abs(a.green - b.green) + std::abs(a.blue - b.blue) > 90);
    }
  }
}

TEST_CASE("the font has every printable ASCII character, well-formed, inside its cell, and no two alike") {
  std::set<std::string> shapes;
  TextStyle style;
  style.size = 20;
  int expected = 0x20;
  for (const Glyph& glyph : kGlyphs) {
    CAPTURE(glyph.character);
    CHECK(glyph.character == expected++);
    for (const char* s = glyph.strokes; *s;) {
      if (*s == '(') ++s;
      int points = 0;
      for (; *s && *s != ' '; s += 2, ++points) {
        REQUIRE(std::isalnum(static_cast<unsigned char>(s[0])));
        REQUIRE(std::isalnum(static_cast<unsigned char>(s[1])));
        const int x = s[0] <= '9' ? s[0] - '0' : s[0] - 'a' + 10, y = s[1] <= '9' ? s[1] - '0' : s[1] - 'a' + 10;
        CHECK((x <= glyph.width && y <= 15));
      }
      CHECK(points >= 2);
      if (*s == ' ') ++s;
    }
    const std::string one(1, glyph.character);
    Image cell(60, 60);
    draw_text(cell, 10, 40, one, style);
    shapes.emplace(cell.pixels.begin(), cell.pixels.end());
    // Nothing outside the room that the measures promise.
    Image cut = cell;
    fill_rectangle(cut, 9, std::floor(40 - text_ascent(style)) - 1, 12 + text_width(one, style),
                   42 + text_descent(style), Colour{}, 1);
    CHECK(ink(cut) == 0);
    CHECK((ink(cell) > 3) == (glyph.character != ' '));
  }
  CHECK(expected == 0x7f);
  CHECK(shapes.size() == 95);
}

TEST_CASE("text: accents fold to their letter, other characters to a question mark; widths add up") {
  CHECK(plain_text("jalape\xc3\xb1o cr\xc3\xa8me \xc5\x81\xc3\xb3\xc4\x91\xc5\xba") == "jalapeno creme Lodz");
  CHECK(plain_text("\xe4\xbd\xa0"
                   "a\xf0\x9f\x98\x80\n\xff") == "?a? ?");
  CHECK(plain_text("cut \xc3") == "cut ?");
  const TextStyle style;  // one pixel a grid unit
  CHECK(text_width("", style) == 0);
  CHECK(text_width("ab", style) == Approx(6 + 3 + 6 + 1.4));
  Image image(40, 30);
  draw_text(image, 2, 20, "I", style);
  CHECK(at(image, 2, 15).red == 255);  // the stem's pixel is full: it lies on the pixel's centre
  CHECK(at(image, 4, 15).red == 0);
}

TEST_CASE("a mask is filled inside, outlined at its border and nowhere else") {
  Image photo(60, 40);
  OverlayOptions options;
  options.least_side = 1;
  PictureInstance instance = square(20, 10, 12);
  instance.colour = 3;
  const Colour colour = instance_colour(3);
  const Image drawn = draw_instances(photo, {instance}, options);
  CHECK(drawn.width == 60);
  CHECK(at(drawn, 26, 16) == mixed(Colour{}, colour, options.mask_opacity));
  CHECK(at(drawn, 20, 16).red > at(drawn, 26, 16).red);
  CHECK(brightness(at(drawn, 19, 16)) > 0);  // the outline's outer half
  CHECK(at(drawn, 17, 16) == Colour{});
  CHECK(at(drawn, 34, 16) == Colour{});
  CHECK(at(drawn, 26, 24) == Colour{});
  options.masks = false;
  CHECK(draw_instances(photo, {instance}, options) == photo);
}

TEST_CASE("small pictures are enlarged; a mask keeps its place and gets a smooth border") {
  Image photo(128, 96);
  OverlayOptions options;
  CHECK(overlay_factor(128, 96, 1, options) == 4);
  CHECK(overlay_factor(640, 480, 1, options) == 1);
  CHECK(overlay_factor(640, 480, 13, options) == 2);
  PictureInstance instance = square(40, 40, 10);
  const Image drawn = draw_instances(photo, {instance}, options);
  CHECK(drawn.width == 512);
  CHECK(drawn.height == 384);
  CHECK(at(drawn, 180, 180) != Colour{});
  CHECK(at(drawn, 155, 180) == Colour{});
  CHECK(at(drawn, 205, 180) == Colour{});
  CHECK(at(drawn, 160, 160) != at(drawn, 161, 165));  // the corner is rounded off
  PictureInstance whole = square(0, 0, 96);
  CHECK(at(draw_instances(photo, {whole}, options), 0, 0) != Colour{});  // no fading at the photo's border
}

TEST_CASE("a decoded RLE mask is cut to its foreground") {
  std::vector<uint8_t> bitmap(8 * 6, 0);
  bitmap[2 * 8 + 3] = bitmap[4 * 8 + 5] = 1;
  PictureInstance instance;
  instance.set_mask(rle_encode(bitmap, 6, 8));
  CHECK(instance.mask_x == 3);
  CHECK(instance.mask_y == 2);
  CHECK(instance.mask == std::vector<uint8_t>{1, 0, 0, 0, 0, 0, 0, 0, 1});
  instance.set_mask(rle_encode(std::vector<uint8_t>(48, 0), 6, 8));
  CHECK(instance.mask.empty());
}

TEST_CASE("boxes and names: drawn on the box, inside the picture, large instances first") {
  Image photo(500, 400);
  PictureInstance box;
  box.box = {{100, 100, 300, 300}};
  box.name = "person";
  box.score = 0.984;
  const Image drawn = draw_instances(photo, {box});
  CHECK(at(drawn, 100, 200) != Colour{});
  CHECK(at(drawn, 200, 200) == Colour{});
  Image above(500, 100);  // the plate stands above the box
  paste(above, drawn, 0, 0);
  CHECK(ink(above) > 50);
  box.box = {{-50, -50, 1e9, 1e9}};
  CHECK_NOTHROW(draw_instances(photo, {box}));
  box.box = {{0, 0, std::numeric_limits<double>::quiet_NaN(), 1}};
  CHECK_THROWS_WITH(draw_instances(photo, {box}), Catch::Contains("'person'") && Catch::Contains("not finite"));
  PictureInstance beyond = square(495, 0, 10);
  CHECK_THROWS_WITH(draw_instances(photo, {beyond}), Catch::Contains("does not fit a photo of 500 x 400"));
  PictureInstance torn = square(0, 0, 10);
  torn.mask.pop_back();
  CHECK_THROWS_WITH(draw_instances(photo, {torn}), Catch::Contains("99 bytes"));
  CHECK_NOTHROW(draw_instances(photo, {PictureInstance{}}));
}

TEST_CASE("labels stay in the picture and apart while there is room") {
  std::vector<LabelRequest> requests;
  for (int i = 0; i < 7; ++i) requests.push_back({100, 100, 200, 180, 60, 15});
  requests.push_back({-20, -20, 30, 30, 60, 15});
  requests.push_back({480, 390, 520, 420, 60, 15});
  const auto places = place_labels(requests, 500, 400);
  for (size_t i = 0; i < places.size(); ++i) {
    CHECK((places[i].x >= 0 && places[i].x + 60 <= 500 && places[i].y >= 0 && places[i].y + 15 <= 400));
    for (size_t j = 0; j < i; ++j) {
      CAPTURE(i, j);
      CHECK((std::abs(places[i].x - places[j].x) >= 60 || std::abs(places[i].y - places[j].y) >= 15));
    }
  }
  CHECK(place_labels({{0, 0, 1, 1, 900, 900}}, 500, 400)[0].x == 0);  // larger than the picture
}

TEST_CASE("a contact sheet holds its pictures, scaled to the cells") {
  Image wide(200, 100), tall(50, 100);
  fill_rectangle(wide, 0, 0, 200, 100, kRed, 1);
  const Image sheet = contact_sheet({"photo", "prediction"}, {{"one", {wide, tall}}, {"", {wide}}}, 100);
  CHECK(sheet.width == 2 * 100 + 3 * 12);
  CHECK(at(sheet, 12 + 50, 12 + 12 + 12 + 25) == kRed);
  // Row 1 is as high as the tall picture at double size, row 2 as the wide one at half size.
  CHECK(sheet.height > 12 + 12 + 200 + 12 + 50 + 12);
  CHECK(at(sheet, sheet.width / 2 + 50, sheet.height - 30) == Colour{250, 250, 250});  // no second picture in row 2
  CHECK_THROWS_WITH(contact_sheet({"a"}, {{"row", {wide, tall}}}), Catch::Contains("2 pictures for 1 columns"));
  CHECK_THROWS_AS(contact_sheet({}, {}), Error);
  CHECK_THROWS_WITH(contact_sheet({"a"}, {{"row", {Image()}}}), Catch::Contains("empty"));
}
