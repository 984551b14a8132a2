#include "datasets/synthetic/font.h"

#include "datasets/image_decode.h"
#include "tensor/error.h"

#ifdef TAILSEG_FREETYPE
#include <ft2build.h>
#include FT_FREETYPE_H
#include FT_OUTLINE_H

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <set>
#endif

namespace tailseg::synthetic {
namespace {

std::vector<uint8_t> bytes_of(const std::string& path) {
  std::vector<uint8_t> bytes;
  read_file_bytes(path, int64_t{64} << 20, bytes, "font");
  return bytes;
}

}  // namespace

Font::Font(const std::string& path) : Font(bytes_of(path), path) {}

#ifndef TAILSEG_FREETYPE

struct Font::Face {};
Font::Font(std::vector<uint8_t>, const std::string& path) {
  fail(path, ": this build reads no fonts. Install libfreetype-dev and build again, or take --kind shapes");
}
Font::~Font() = default;
std::vector<Outline> Font::outlines(int64_t) const { return {}; }

#else

namespace {

// Straight pieces for one curve of a glyph. Glyphs are drawn at most a few hundred pixels large.
constexpr int kPieces = 6;

Point mix(const Point& a, const Point& b, double t) { return {a.x + (b.x - a.x) * t, a.y + (b.y - a.y) * t}; }
Point point_of(const FT_Vector* v) { return {double(v->x), double(v->y)}; }
std::vector<Contour>& contours_of(void* user) { return *static_cast<std::vector<Contour>*>(user); }

// What FreeType calls for each piece of an outline, in the font's units.
const FT_Outline_Funcs kPen{
    [](const FT_Vector* to, void* user) {
      contours_of(user).push_back({point_of(to)});
      return 0;
    },
    [](const FT_Vector* to, void* user) {
      contours_of(user).back().push_back(point_of(to));
      return 0;
    },
    [](const FT_Vector* control, const FT_Vector* to, void* user) {
      Contour& contour = contours_of(user).back();
      const Point start = contour.back(), c = point_of(control), end = point_of(to);
      for (int i = 1; i <= kPieces; ++i) {
        const double t = double(i) / kPieces;
        contour.push_back(mix(mix(start, c, t), mix(c, end, t), t));
      }
      return 0;
    },
    [](const FT_Vector* control1, const FT_Vector* control2, const FT_Vector* to, void* user) {
      Contour& contour = contours_of(user).back();
      const Point start = contour.back(), c1 = point_of(control1), c2 = point_of(control2), end = point_of(to);
      for (int i = 1; i <= kPieces; ++i) {
        const double t = double(i) / kPieces;
        const Point middle = mix(c1, c2, t);
        contour.push_back(mix(mix(mix(start, c1, t), middle, t), mix(middle, mix(c2, end, t), t), t));
      }
      return 0;
    },
    0,
    0};

// Centres the curves and scales them into the unit circle, y down. False for a glyph without a visible extent.
bool normalise(std::vector<Contour>& contours) {
  double low_x = 1e30, low_y = 1e30, high_x = -1e30, high_y = -1e30;
  for (const Contour& contour : contours) {
    for (const Point& p : contour) {
      low_x = std::min(low_x, p.x), high_x = std::max(high_x, p.x);
      low_y = std::min(low_y, p.y), high_y = std::max(high_y, p.y);
    }
  }
  const double half = std::hypot(high_x - low_x, high_y - low_y) / 2;
  if (!(high_x > low_x && high_y > low_y && half > 0)) return false;
  for (Contour& contour : contours) {
    for (Point& p : contour) p = {(p.x - (low_x + high_x) / 2) / half, -(p.y - (low_y + high_y) / 2) / half};
  }
  return true;
}

std::vector<int> code_points() {  // of the basic plane, letters and digits first
  std::vector<int> points;
  for (int c = 'A'; c <= 'Z'; ++c) points.push_back(c);
  for (int c = 'a'; c <= 'z'; ++c) points.push_back(c);
  for (int c = '0'; c <= '9'; ++c) points.push_back(c);
  for (int c = 0x21; c < 0xFFFE; ++c) {
    const bool listed = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (!listed) points.push_back(c);
  }
  return points;
}

}  // namespace

struct Font::Face {
  std::vector<uint8_t> bytes;  // the face reads them as long as it lives
  std::string path;
  FT_Library library = nullptr;
  FT_Face face = nullptr;

  Face(std::vector<uint8_t> data, std::string name) : bytes(std::move(data)), path(std::move(name)) {}
  Face(const Face&) = delete;
  Face& operator=(const Face&) = delete;
  ~Face() {
    if (library) FT_Done_FreeType(library);  // and the face with it
  }

  void open() {
    TS_CHECK(FT_Init_FreeType(&library) == 0, path, ": FreeType could not be started");
    const FT_Error error = FT_New_Memory_Face(library, bytes.data(), static_cast<FT_Long>(bytes.size()), 0, &face);
    TS_CHECK(error == 0, path, ": no font that FreeType reads, or a damaged one (its error ", error, ")");
    TS_CHECK(FT_IS_SCALABLE(face), path, ": the font has no outlines");
    TS_CHECK(FT_Select_Charmap(face, FT_ENCODING_UNICODE) == 0, path, ": the font has no Unicode map");
  }

  std::vector<Contour> contours(FT_UInt glyph, const char* name) const {
    FT_Error error = FT_Load_Glyph(face, glyph, FT_LOAD_NO_SCALE | FT_LOAD_NO_HINTING);
    std::vector<Contour> found;
    if (error == 0 && face->glyph->format == FT_GLYPH_FORMAT_OUTLINE) {
      error = FT_Outline_Decompose(&face->glyph->outline, &kPen, &found);
    }
    TS_CHECK(error == 0, path, ": the font's glyph for ", name, " is damaged (FreeType's error ", error, ")");
    return found;
  }
};

Font::Font(std::vector<uint8_t> bytes, const std::string& path)
    : face_(std::make_unique<Face>(std::move(bytes), path)) {
  face_->open();
}
Font::~Font() = default;

std::vector<Outline> Font::outlines(int64_t count) const {
  std::vector<Outline> found;
  std::set<FT_UInt> seen_glyphs;
  std::set<std::vector<std::pair<int, int> > > seen_shapes;  // other glyphs may look the same: Latin A, Greek Alpha
  for (const int code : code_points()) {
    if (static_cast<int64_t>(found.size()) >= count) break;
    const FT_UInt glyph = FT_Get_Char_Index(face_->face, static_cast<FT_ULong>(code));
    if (glyph == 0 || !seen_glyphs.insert(glyph).second) continue;
    char name[16];
    std::snprintf(name, sizeof(name), "U+%04X", static_cast<unsigned>(code));
    std::vector<Contour> contours = face_->contours(glyph, name);
    if (!normalise(contours)) continue;
    std::vector<std::pair<int, int> > shape;
    for (const Contour& contour : contours) {
      for (const Point& p : contour) shape.emplace_back(std::lround(p.x * 64), std::lround(p.y * 64));
    }
    if (!seen_shapes.insert(std::move(shape)).second) continue;
    found.push_back({name, std::move(contours)});
  }
  return found;
}

#endif

}  // namespace tailseg::synthetic
