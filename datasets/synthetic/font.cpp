#include <algorithm>
#include <cmath>
#include <cstdio>
#include <set>

#include "datasets/image_decode.h"
#include "datasets/synthetic/outline.h"
#include "datasets/synthetic/truetype.h"
#include "tensor/error.h"

namespace tailseg::synthetic {
namespace {

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

Font::Font(const std::string& path) {
  std::vector<uint8_t> bytes;
  read_file_bytes(path, int64_t{64} << 20, bytes, "font");
  font_ = std::make_unique<TrueTypeFont>(std::move(bytes), path);
}

Font::~Font() = default;

std::vector<Outline> Font::outlines(int64_t count) const {
  std::vector<Outline> found;
  std::set<int64_t> seen_glyphs;
  std::set<std::vector<std::pair<int, int>>> seen_shapes;  // other glyphs may look the same: Latin A, Greek Alpha
  for (const int code : code_points()) {
    if (static_cast<int64_t>(found.size()) >= count) break;
    const int64_t glyph = font_->glyph_of(static_cast<uint32_t>(code));
    if (glyph == 0 || !seen_glyphs.insert(glyph).second) continue;
    std::vector<Contour> contours = font_->contours(glyph);
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
