// Outlines from a TrueType font, with every offset checked: a font is a file from outside, and its tables point into
// each other and at themselves. Layout: OpenType specification 1.9, chapters "Font file", cmap, head, maxp, loca, glyf.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "datasets/synthetic/outline.h"

namespace tailseg::synthetic {

class TrueTypeFont {
 public:
  // Throws Error, starting with `path`, for what is no font, has no TrueType outlines (CFF) or no Unicode map, or is
  // truncated. A collection gives its first font.
  TrueTypeFont(std::vector<uint8_t> bytes, std::string path);

  int64_t glyphs() const { return glyphs_; }
  int64_t glyph_of(uint32_t code) const;  // of a Unicode code point; 0: the font has none
  // Closed curves in the font's units, y up, curves as straight pieces; empty for a blank. Throws Error, naming file
  // and glyph, where its data leave their table, or its parts contain each other or are more than any font's.
  std::vector<Contour> contours(int64_t glyph) const;

 private:
  struct Range {
    uint64_t begin = 0, length = 0;
  };
  struct CurvePoint {
    double x, y;
    bool on;  // on the curve, or a quadratic curve's control point
  };
  using Curve = std::vector<CurvePoint>;
  struct Part {  // of a compound glyph
    int64_t glyph = 0;
    std::array<double, 4> scale{1, 0, 0,
                                1};  // x' = scale[0] x + scale[2] y + shift_x, y' = scale[1] x + scale[3] y + ..
    double shift_x = 0, shift_y = 0;
    int64_t own_point = -1, whole_point = -1;  // >= 0: shifted so that these two meet
    bool more = false;
  };
  class Cursor;

  uint64_t number(const Range& table, uint64_t at, int width) const;  // big-endian
  Range required(const char* tag) const;
  void read_tables();
  void choose_map();
  Range place_of(int64_t glyph) const;
  int64_t glyph_of_segments(uint32_t code) const;
  int64_t glyph_of_groups(uint32_t code, bool each) const;
  std::vector<Curve> curves(int64_t glyph, int depth, int& parts) const;
  std::vector<Curve> simple(Cursor& in, int64_t contours) const;
  std::vector<Curve> compound(Cursor& in, int64_t glyph, int depth, int& parts) const;
  static Part read_part(Cursor& in);
  static Contour straightened(const Curve& curve);

  std::vector<uint8_t> bytes_;
  std::string path_;
  std::vector<std::pair<std::string, Range>> tables_;
  Range map_, places_, outlines_;
  int64_t format_ = 0, glyphs_ = 0;
  bool wide_ = false;
};

}  // namespace tailseg::synthetic
