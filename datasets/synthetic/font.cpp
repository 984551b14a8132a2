#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iterator>
#include <map>
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

// stb_truetype follows every offset of a font without a look at the file's end; so the tables, and in them the places
// of the glyphs, are checked first, and zeros behind the end catch the reads inside the last glyphs. Layout (OpenType
// specification): 12 bytes of header with the number of tables at byte 4, then 16 a table: tag, checksum, offset,
// length. All numbers are big-endian.
class FontTables {
 public:
  FontTables(const std::vector<uint8_t>& bytes, size_t begin, const std::string& path) : bytes_(bytes), path_(path) {
    const uint64_t count = number(begin + 4, 2);
    for (uint64_t i = 0; i < count; ++i) {
      const size_t at = begin + 12 + 16 * i;
      const Range range{number(at + 8, 4), number(at + 12, 4)};
      TS_CHECK(range.begin + range.length <= bytes_.size(), path_, ": the font is truncated: a table of ", range.length,
               " bytes at byte ", range.begin, ", the file has ", bytes_.size());
      tables_[std::string(bytes_.begin() + static_cast<ptrdiff_t>(at),
                          bytes_.begin() + static_cast<ptrdiff_t>(at) + 4)] = range;
    }
    check_glyphs();
  }

 private:
  struct Range {
    uint64_t begin = 0, length = 0;
  };

  uint64_t number(uint64_t at, uint64_t width) const {
    TS_CHECK(at + width <= bytes_.size(), path_, ": the font is truncated at byte ", bytes_.size());
    uint64_t value = 0;
    for (uint64_t i = 0; i < width; ++i) value = value << 8 | bytes_[at + i];
    return value;
  }

  // loca has a place in glyf for every glyph and one for the end: as it is, or halved in 16 bits.
  void check_glyphs() const {
    for (const char* tag : {"head", "maxp", "loca", "glyf"}) {
      if (!tables_.count(tag)) return;  // a font of another kind; stb_truetype refuses what it cannot use
    }
    const Range &places = tables_.at("loca"), &glyphs = tables_.at("glyf");
    const bool wide = number(tables_.at("head").begin + 50, 2) != 0;
    const uint64_t count = number(tables_.at("maxp").begin + 4, 2) + 1, width = wide ? 4 : 2;
    TS_CHECK(count * width <= places.length, path_, ": the font names ", count - 1, " glyphs but places fewer");
    for (uint64_t i = 0; i < count; ++i) {
      const uint64_t place = number(places.begin + i * width, width) * (wide ? 1 : 2);
      TS_CHECK(place <= glyphs.length, path_, ": the font's glyph ", i, " lies outside its table");
    }
  }

  const std::vector<uint8_t>& bytes_;
  const std::string& path_;
  std::map<std::string, Range> tables_;
};

}  // namespace

struct Font::Data {
  std::vector<uint8_t> bytes;
  stbtt_fontinfo info{};
};

Font::Font(const std::string& path) : data_(std::make_unique<Data>()) {
  read_file_bytes(path, int64_t{64} << 20, data_->bytes, "font");
  const int offset = data_->bytes.size() > 12 ? stbtt_GetFontOffsetForIndex(data_->bytes.data(), 0) : -1;
  TS_CHECK(offset >= 0, "reading font ", path, ": not a TrueType or OpenType font");
  const FontTables checked(data_->bytes, static_cast<size_t>(offset), path);
  data_->bytes.resize(data_->bytes.size() + (size_t{1} << 20));
  TS_CHECK(stbtt_InitFont(&data_->info, data_->bytes.data(), offset), "reading font ", path,
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
