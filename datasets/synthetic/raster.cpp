#include "datasets/synthetic/raster.h"

#include <algorithm>
#include <cmath>

namespace tailseg::synthetic {
namespace {

constexpr int kLines = 4;  // scan lines a pixel

struct Edge {
  double top, bottom;  // y range
  double x, slope;     // x at y = top, dx / dy
  int winding;         // +1 down, -1 up
};

struct Crossing {
  double x;
  int winding;
};

std::vector<Edge> edges_of(const std::vector<Contour>& contours) {
  std::vector<Edge> edges;
  for (const Contour& contour : contours) {
    for (size_t i = 0; i < contour.size(); ++i) {
      const Point &p = contour[i], &q = contour[(i + 1) % contour.size()];
      if (p.y == q.y) continue;
      const Point &upper = p.y < q.y ? p : q, &lower = p.y < q.y ? q : p;
      edges.push_back({upper.y, lower.y, upper.x, (lower.x - upper.x) / (lower.y - upper.y), p.y < q.y ? 1 : -1});
    }
  }
  return edges;
}

// Adds share * (part of each pixel within [from, to)) to a row of pixels that starts at x.
void add_span(double from, double to, float share, int64_t x, int64_t width, float* row) {
  from = std::clamp(from - static_cast<double>(x), 0.0, static_cast<double>(width));
  to = std::clamp(to - static_cast<double>(x), 0.0, static_cast<double>(width));
  if (to <= from) return;
  const auto first = static_cast<int64_t>(from), last = std::min(static_cast<int64_t>(to), width - 1);
  for (int64_t i = first; i <= last; ++i) {
    const double part = std::min(to, static_cast<double>(i + 1)) - std::max(from, static_cast<double>(i));
    row[i] += share * static_cast<float>(std::max(part, 0.0));
  }
}

}  // namespace

Point Pose::to_picture(Point p) const {
  const double x = p.x * stretch * scale, y = p.y / stretch * scale;
  const double c = std::cos(angle), s = std::sin(angle);
  return {centre.x + c * x - s * y, centre.y + s * x + c * y};
}

Point Pose::to_outline(Point p) const {
  const double x = p.x - centre.x, y = p.y - centre.y;
  const double c = std::cos(angle), s = std::sin(angle);
  return {(c * x + s * y) / (stretch * scale), (c * y - s * x) * stretch / scale};
}

Coverage rasterise(const Outline& outline, const Pose& pose, int64_t picture_width, int64_t picture_height,
                   int64_t margin) {
  std::vector<Contour> contours = outline.contours;
  double low_x = 1e30, low_y = 1e30, high_x = -1e30, high_y = -1e30;
  for (Contour& contour : contours) {
    for (Point& p : contour) {
      p = pose.to_picture(p);
      low_x = std::min(low_x, p.x), high_x = std::max(high_x, p.x);
      low_y = std::min(low_y, p.y), high_y = std::max(high_y, p.y);
    }
  }
  Coverage window;
  const auto cut = [](double value, int64_t limit) {
    return static_cast<int64_t>(std::clamp(value, 0.0, static_cast<double>(limit)));
  };
  const auto room = static_cast<double>(margin);
  window.x = cut(std::floor(low_x - room), picture_width);
  window.y = cut(std::floor(low_y - room), picture_height);
  window.width = cut(std::ceil(high_x + room), picture_width) - window.x;
  window.height = cut(std::ceil(high_y + room), picture_height) - window.y;
  window.inside.assign(static_cast<size_t>(window.width * window.height), 0.0f);

  const std::vector<Edge> edges = edges_of(contours);
  std::vector<Crossing> crossings;
  for (int64_t line = 0; line < window.height * kLines; ++line) {
    const double y = static_cast<double>(window.y) + (static_cast<double>(line) + 0.5) / kLines;
    crossings.clear();
    for (const Edge& e : edges) {
      if (y >= e.top && y < e.bottom) crossings.push_back({e.x + e.slope * (y - e.top), e.winding});
    }
    std::sort(crossings.begin(), crossings.end(), [](const Crossing& a, const Crossing& b) { return a.x < b.x; });
    float* row = window.inside.data() + line / kLines * window.width;
    int winding = 0;
    for (size_t i = 0; i + 1 < crossings.size(); ++i) {
      winding += crossings[i].winding;
      if (winding != 0) add_span(crossings[i].x, crossings[i + 1].x, 1.0f / kLines, window.x, window.width, row);
    }
  }
  return window;
}

}  // namespace tailseg::synthetic
