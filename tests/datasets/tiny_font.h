// TrueType fonts of a few glyphs, written byte by byte (OpenType specification 1.9).
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace tiny_font {

inline std::string u16(int v) { return {static_cast<char>(v >> 8), static_cast<char>(v)}; }
inline std::string u32(uint32_t v) { return u16(static_cast<int>(v >> 16)) + u16(static_cast<int>(v & 0xFFFF)); }

struct Point {
  int x, y;
  bool on = true;
};

// Two-byte differences for every point.
inline std::string glyph(const std::vector<std::vector<Point>>& contours) {
  std::string out = u16(static_cast<int>(contours.size())) + u16(0) + u16(0) + u16(1000) + u16(1000), flags, xs, ys;
  int points = 0, x = 0, y = 0;
  for (const auto& contour : contours) {
    for (const Point& p : contour) {
      flags += p.on ? '\x01' : '\0';
      xs += u16(p.x - x);
      ys += u16(p.y - y);
      x = p.x, y = p.y, ++points;
    }
    out += u16(points - 1);
  }
  out += u16(0) + flags + xs + ys;
  if (out.size() % 2) out += '\0';
  return out;
}

// `parts`: flags without "more follow", the glyph, and the bytes behind them.
struct Part {
  int flags, glyph;
  std::string rest;
};
inline std::string compound(const std::vector<Part>& parts) {
  std::string out = u16(-1) + std::string(8, '\0');
  for (size_t i = 0; i < parts.size(); ++i) {
    out += u16(parts[i].flags | (i + 1 < parts.size() ? 32 : 0)) + u16(parts[i].glyph) + parts[i].rest;
  }
  return out;
}

// A table directory and the tables, each padded to 4 bytes.
inline std::string file(const std::vector<std::pair<std::string, std::string>>& tables) {
  std::string out = u32(0x10000) + u16(static_cast<int>(tables.size())) + u16(0) + u16(0) + u16(0), data;
  for (const auto& [tag, bytes] : tables) {
    const size_t begin = 12 + 16 * tables.size() + data.size();
    out += tag + u32(0) + u32(static_cast<uint32_t>(begin)) + u32(static_cast<uint32_t>(bytes.size()));
    data += bytes + std::string((4 - bytes.size() % 4) % 4, '\0');
  }
  return out + data;
}

// Format 4: A, B .. are glyphs 1, 2 .., the space is the last one.
inline std::string segments(int glyphs) {
  const int last = 'A' + glyphs - 3;
  const std::string ends = u16(32) + u16(last) + u16(0xFFFF), starts = u16(32) + u16('A') + u16(0xFFFF);
  const std::string deltas = u16(glyphs - 1 - 32) + u16(1 - 'A') + u16(1), offsets = u16(0) + u16(0) + u16(0);
  const std::string body = u16(6) + u16(4) + u16(1) + u16(2) + ends + u16(0) + starts + deltas + offsets;
  return u16(4) + u16(static_cast<int>(body.size()) + 6) + u16(0) + body;
}

// A font of these glyphs; `map` is its cmap subtable.
inline std::string font(const std::vector<std::string>& glyphs, const std::string& map) {
  std::string loca, outlines;
  for (const std::string& one : glyphs) {
    loca += u32(static_cast<uint32_t>(outlines.size()));
    outlines += one;
  }
  loca += u32(static_cast<uint32_t>(outlines.size()));
  const auto count = static_cast<int>(glyphs.size());
  const std::string head = std::string(18, '\0') + u16(1000) + std::string(30, '\0') + u16(1) + u16(0);
  const std::string hhea = u32(0x10000) + u16(800) + u16(-200) + std::string(26, '\0') + u16(1);
  const std::string hmtx = u16(1000) + std::string(static_cast<size_t>(2 * count), '\0');
  const std::string maxp = u32(0x10000) + u16(count) + std::string(26, '\0');
  const std::string cmap = u16(0) + u16(1) + u16(3) + u16(1) + u32(12) + map;
  return file({{"cmap", cmap},
               {"glyf", outlines},
               {"head", head},
               {"hhea", hhea},
               {"hmtx", hmtx},
               {"loca", loca},
               {"maxp", maxp}});
}
inline std::string font(const std::vector<std::string>& glyphs) {
  return font(glyphs, segments(static_cast<int>(glyphs.size())));
}

}  // namespace tiny_font
