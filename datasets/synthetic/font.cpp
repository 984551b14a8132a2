#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iterator>
#include <set>

#include "datasets/image_decode.h"
#include "datasets/synthetic/outline.h"
#include "tensor/error.h"

#define STBTT_STATIC
#define STB_TRUETYPE_IMPLEMENTATION
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wsign-compare"
#include <stb/stb_truetype.h>
#pragma GCC diagnostic pop

namespace tailseg::synthetic {
namespace {

// Straight pieces for one curve of a glyph. Glyphs are drawn at most a few hundred pixels large.
constexpr int kPieces = 6;

Point mix(const Point& a, const Point& b, double t) { return {a.x + (b.x - a.x) * t, a.y + (b.y - a.y) * t}; }

void append_curve(const stbtt_vertex& v, Contour& contour) {
  const Point start = contour.back(), end{double(v.x), double(v.y)}, c1{double(v.cx), double(v.cy)};
  const Point c2{double(v.cx1), double(v.cy1)};
  for (int i = 1; i <= kPieces; ++i) {
    const double t = double(i) / kPieces;
    const Point p = mix(start, c1, t);
    if (v.type == STBTT_vcurve) {  // quadratic
      contour.push_back(mix(p, mix(c1, end, t), t));
    } else {  // cubic
      const Point q = mix(c1, c2, t);
      contour.push_back(mix(mix(p, q, t), mix(q, mix(c2, end, t), t), t));
    }
  }
}

std::vector<Contour> glyph_contours(const stbtt_fontinfo& font, int glyph) {
  stbtt_vertex* vertices = nullptr;
  const int count = stbtt_GetGlyphShape(&font, glyph, &vertices);
  std::vector<Contour> contours;
  for (int i = 0; i < count; ++i) {
    const stbtt_vertex& v = vertices[i];
    if (v.type == STBTT_vmove) contours.emplace_back();
    if (contours.empty()) continue;
    if (v.type == STBTT_vcurve || v.type == STBTT_vcubic) {
      append_curve(v, contours.back());
    } else {
      contours.back().push_back({double(v.x), double(v.y)});
    }
  }
  stbtt_FreeShape(&font, vertices);
  return contours;
}

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

struct Font::Data {
  std::vector<uint8_t> bytes;
  stbtt_fontinfo info{};
};

Font::Font(const std::string& path) : data_(std::make_unique<Data>()) {
  read_file_bytes(path, int64_t{64} << 20, data_->bytes, "font");
  const int offset = data_->bytes.size() > 12 ? stbtt_GetFontOffsetForIndex(data_->bytes.data(), 0) : -1;
  TS_CHECK(offset >= 0 && stbtt_InitFont(&data_->info, data_->bytes.data(), offset), "reading font ", path,
           ": not a TrueType or OpenType font");
}

Font::~Font() = default;

std::vector<Outline> Font::outlines(int64_t count) const {
  std::vector<Outline> found;
  std::set<int> seen_glyphs;
  std::set<std::vector<std::pair<int, int>>> seen_shapes;  // other glyphs may look the same: Latin A, Greek Alpha
  for (const int code : code_points()) {
    if (static_cast<int64_t>(found.size()) >= count) break;
    const int glyph = stbtt_FindGlyphIndex(&data_->info, code);
    if (glyph == 0 || !seen_glyphs.insert(glyph).second) continue;
    std::vector<Contour> contours = glyph_contours(data_->info, glyph);
    if (!normalise(contours)) continue;
    std::vector<std::pair<int, int>> shape;
    for (const Contour& contour : contours) {
      for (const Point& p : contour) shape.emplace_back(std::lround(p.x * 64), std::lround(p.y * 64));
    }
    if (!seen_shapes.insert(std::move(shape)).second) continue;
    char name[16];
    std::snprintf(name, sizeof(name), "U+%04X", static_cast<unsigned>(code));
    found.push_back({name, std::move(contours)});
  }
  return found;
}

}  // namespace tailseg::synthetic
