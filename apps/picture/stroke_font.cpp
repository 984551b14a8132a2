#include "apps/picture/stroke_font.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "apps/picture/glyphs.h"

namespace tailseg {
namespace {

struct Point {
  double x, y;
};
using Line = std::vector<Point>;

constexpr int kCurvePieces =
    6;  // straight pieces a B-spline span; at 30 pixels a letter the corners are below 0.1 pixel

int digit(char c) { return c <= '9' ? c - '0' : c - 'a' + 10; }

Point middle(const Point& a, const Point& b) { return {(a.x + b.x) / 2, (a.y + b.y) / 2}; }

void add_parabola(Line& line, Point from, Point control, Point to) {
  for (int i = 1; i <= kCurvePieces; ++i) {
    const double t = double(i) / kCurvePieces, u = 1 - t;
    line.push_back(
        {u * u * from.x + 2 * u * t * control.x + t * t * to.x, u * u * from.y + 2 * u * t * control.y + t * t * to.y});
  }
}

// The quadratic B-spline of control points p: parabolas between the middles of its polygon's sides.
Line smooth(const Line& p) {
  const size_t n = p.size();
  const bool closed = p.front().x == p.back().x && p.front().y == p.back().y;
  Line line;
  if (closed) {
    line.push_back(middle(p[0], p[1]));
    for (size_t i = 1; i < n; ++i) {
      const Point& next = p[i + 1 < n ? i + 1 : 1];
      add_parabola(line, line.back(), p[i], middle(p[i], next));
    }
    return line;
  }
  line.push_back(p[0]);
  for (size_t i = 1; i + 1 < n; ++i) {
    const Point end = i + 2 < n ? middle(p[i], p[i + 1]) : p[i + 1];
    add_parabola(line, line.back(), p[i], end);
  }
  return line;
}

const Glyph& glyph_of(char character) {
  for (const Glyph& glyph : kGlyphs) {
    if (glyph.character == character) return glyph;
  }
  return glyph_of('?');
}

std::vector<Line> lines_of(const Glyph& glyph) {
  std::vector<Line> lines;
  const char* s = glyph.strokes;
  while (*s) {
    const bool curved = *s == '(';
    if (curved) ++s;
    Line line;
    for (; *s && *s != ' '; s += 2) line.push_back({double(digit(s[0])), double(digit(s[1]))});
    if (*s == ' ') ++s;
    lines.push_back(curved ? smooth(line) : line);
  }
  return lines;
}

double unit(const TextStyle& style) { return style.size / kGlyphCapital; }

double distance_to(const Line& line, const Point& p) {
  double best = 1e9;
  for (size_t i = 0; i + 1 < line.size(); ++i) {
    const double dx = line[i + 1].x - line[i].x, dy = line[i + 1].y - line[i].y, length2 = dx * dx + dy * dy;
    const double px = p.x - line[i].x, py = p.y - line[i].y;
    const double along = length2 > 0 ? std::clamp((px * dx + py * dy) / length2, 0.0, 1.0) : 0.0;
    best = std::min(best, std::hypot(px - along * dx, py - along * dy));
  }
  return best;
}

// One character with grid point (0, baseline) at (x, y): each pixel's opacity comes from the nearest stroke, so that
// strokes that cross are not drawn twice.
void draw_glyph(Image& image, double x, double y, const Glyph& glyph, const TextStyle& style) {
  std::vector<Line> lines = lines_of(glyph);
  const double scale = unit(style), thickness = style.weight * style.size, reach = thickness / 2 + 1;
  for (Line& line : lines) {
    for (Point& p : line) p = {x + p.x * scale, y - (p.y - kGlyphBaseline) * scale};
  }
  const auto left = int64_t(std::floor(x - reach)), right = int64_t(std::ceil(x + glyph.width * scale + reach));
  const auto top = int64_t(std::floor(y - 11 * scale - reach)), bottom = int64_t(std::ceil(y + 4 * scale + reach));
  for (int64_t py = top; py < bottom; ++py) {
    for (int64_t px = left; px < right; ++px) {
      double distance = 1e9;
      for (const Line& line : lines)
        distance = std::min(distance, distance_to(line, {double(px) + 0.5, double(py) + 0.5}));
      blend(image, px, py, style.colour, style.opacity * std::clamp(thickness / 2 + 0.5 - distance, 0.0, 1.0));
    }
  }
}

// Base letters of U+00C0 to U+017F, in order.
constexpr char kLatin[] =
    "AAAAAAACEEEEIIIIDNOOOOO*OUUUUYPsaaaaaaaceeeeiiiidnooooo/ouuuuypy"
    "AaAaAaCcCcCcCcDdDdEeEeEeEeEeGgGgGgGgHhHhIiIiIiIiIiIiJjKkkLlLlLlLlLlNnNnNnnNnOoOoOoOoRrRrRrSsSsSsSsTtTtTtUuUuUuUuUu"
    "UuWw"
    "YyYZzZzZzs";

}  // namespace

std::string plain_text(std::string_view utf8) {
  std::string plain;
  for (size_t i = 0; i < utf8.size();) {
    const auto lead = static_cast<unsigned char>(utf8[i]);
    const size_t length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    unsigned code = length == 1 ? lead : 0;
    if (length == 2 && i + 1 < utf8.size())
      code = ((lead & 0x1fu) << 6) | (static_cast<unsigned char>(utf8[i + 1]) & 0x3fu);
    if (code >= 0x20 && code < 0x7f) {
      plain += char(code);
    } else if (code >= 0xc0 && code - 0xc0 < std::strlen(kLatin)) {
      plain += kLatin[code - 0xc0];
    } else {
      plain += code < 0x20 && length == 1 ? ' ' : '?';
    }
    i += length;
  }
  return plain;
}

double text_width(std::string_view text, const TextStyle& style) {
  double units = 0;
  const std::string plain = plain_text(text);
  for (const char c : plain) units += glyph_of(c).width + kGlyphGap;
  return plain.empty() ? 0 : (units - kGlyphGap) * unit(style) + style.weight * style.size;
}

double text_ascent(const TextStyle& style) { return 11 * unit(style) + style.weight * style.size / 2; }
double text_descent(const TextStyle& style) { return 4 * unit(style) + style.weight * style.size / 2; }

void draw_text(Image& image, double x, double y, std::string_view text, const TextStyle& style) {
  double at = x + style.weight * style.size / 2;
  for (const char c : plain_text(text)) {
    const Glyph& glyph = glyph_of(c);
    // Stems on pixel centres: small text stays sharp.
    draw_glyph(image, std::floor(at) + 0.5, std::floor(y) + 0.5, glyph, style);
    at += (glyph.width + kGlyphGap) * unit(style);
  }
}

}  // namespace tailseg
