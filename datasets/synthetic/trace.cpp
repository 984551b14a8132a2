#include "datasets/synthetic/trace.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "datasets/mask/iou.h"
#include "datasets/mask/polygon.h"
#include "datasets/mask/rle.h"
#include "datasets/synthetic/outline.h"

namespace tailseg::synthetic {
namespace {

struct Corner {
  int64_t x = 0, y = 0;
};

struct Loop {
  std::vector<Corner> corners;  // one step of one pixel side each, the mask on the right hand
  int32_t part = 0;             // the connected part that it borders
  bool hole = false;
};

// Numbers the 4-connected parts of the mask from 1; 0 is outside.
std::vector<int32_t> label_parts(std::span<const uint8_t> mask, int64_t width, int64_t height, int32_t& count) {
  std::vector<int32_t> labels(mask.size(), 0);
  std::vector<int64_t> stack;
  count = 0;
  for (int64_t start = 0; start < width * height; ++start) {
    if (!mask[start] || labels[start]) continue;
    labels[start] = ++count;
    stack.push_back(start);
    while (!stack.empty()) {
      const int64_t at = stack.back(), x = at % width, y = at / width;
      stack.pop_back();
      const std::array<std::pair<bool, int64_t>, 4> neighbours = {
          {{x > 0, at - 1}, {x + 1 < width, at + 1}, {y > 0, at - width}, {y + 1 < height, at + width}}};
      for (const auto& [exists, next] : neighbours) {
        if (!exists || !mask[next] || labels[next]) continue;
        labels[next] = count;
        stack.push_back(next);
      }
    }
  }
  return labels;
}

// Walks the borders between labelled pixels and everything else. At a corner where two pixels of a part touch across,
// the walk stays with its own pixel (turns right), so such pixels are not joined there.
class BorderWalk {
 public:
  BorderWalk(const std::vector<int32_t>& labels, int64_t width, int64_t height)
      : labels_(labels), width_(width), height_(height), used_(labels.size(), 0) {}

  std::vector<Loop> loops() {
    std::vector<Loop> found;
    for (int64_t y = 0; y < height_; ++y) {
      for (int64_t x = 0; x < width_; ++x) {
        if (label(x, y) == 0) continue;
        // A pixel's upper side, walked to the right, starts an outer border or belongs to one that has been walked;
        // a lower side, walked to the left, that is still unused borders a hole.
        if (label(x, y - 1) != label(x, y) && !(used_[y * width_ + x] & 1)) found.push_back(walk({x, y}, 0));
        if (label(x, y + 1) != label(x, y) && !(used_[y * width_ + x] & 4)) found.push_back(walk({x + 1, y + 1}, 2));
      }
    }
    return found;
  }

 private:
  static constexpr int kStepX[4] = {1, 0, -1, 0}, kStepY[4] = {0, 1, 0, -1};  // right, down, left, up

  int32_t label(int64_t x, int64_t y) const {
    return x < 0 || y < 0 || x >= width_ || y >= height_ ? 0 : labels_[y * width_ + x];
  }
  // The pixel to the right of the side that leaves `at` in direction d.
  Corner right_pixel(Corner at, int d) const {
    return {at.x - (d == 1 || d == 2 ? 1 : 0), at.y - (d == 2 || d == 3 ? 1 : 0)};
  }
  Corner left_pixel(Corner at, int d) const {
    return {at.x - (d == 2 || d == 3 ? 1 : 0), at.y - (d == 0 || d == 3 ? 1 : 0)};
  }

  Loop walk(const Corner start, const int first_direction) {
    Loop loop;
    const Corner pixel = right_pixel(start, first_direction);
    loop.part = label(pixel.x, pixel.y);
    Corner at = start;
    int direction = first_direction;
    int64_t twice_area = 0;
    do {
      loop.corners.push_back(at);
      const Corner mine = right_pixel(at, direction);
      used_[mine.y * width_ + mine.x] |= static_cast<uint8_t>(1 << direction);
      const Corner next = {at.x + kStepX[direction], at.y + kStepY[direction]};
      twice_area += at.x * next.y - next.x * at.y;
      at = next;
      for (const int turn : {1, 0, 3}) {  // right, straight on, left
        const int d = (direction + turn) % 4;
        const Corner right = right_pixel(at, d), left = left_pixel(at, d);
        if (label(right.x, right.y) == loop.part && label(left.x, left.y) != loop.part) {
          direction = d;
          break;
        }
      }
    } while (at.x != start.x || at.y != start.y || direction != first_direction);
    loop.hole = twice_area < 0;
    return loop;
  }

  const std::vector<int32_t>& labels_;
  int64_t width_, height_;
  std::vector<uint8_t> used_;  // per pixel, which of its four sides have been walked
};

Contour side_middles(const Loop& loop) {
  Contour contour;
  for (size_t i = 0; i < loop.corners.size(); ++i) {
    const Corner &a = loop.corners[i], &b = loop.corners[(i + 1) % loop.corners.size()];
    contour.push_back({static_cast<double>(a.x + b.x) / 2, static_cast<double>(a.y + b.y) / 2});
  }
  return contour;
}

Contour true_corners(const Loop& loop) {  // only where the border turns
  Contour contour;
  const size_t n = loop.corners.size();
  for (size_t i = 0; i < n; ++i) {
    const Corner &before = loop.corners[(i + n - 1) % n], &at = loop.corners[i], &after = loop.corners[(i + 1) % n];
    const bool straight = (after.x - at.x == at.x - before.x) && (after.y - at.y == at.y - before.y);
    if (!straight) contour.push_back({static_cast<double>(at.x), static_cast<double>(at.y)});
  }
  return contour;
}

double distance_to_line(const Point& p, const Point& a, const Point& b) {
  const double dx = b.x - a.x, dy = b.y - a.y, length = std::hypot(dx, dy);
  return length == 0 ? std::hypot(p.x - a.x, p.y - a.y) : std::abs(dx * (p.y - a.y) - dy * (p.x - a.x)) / length;
}

// Douglas and Peucker (1973) between two kept points, both included in `kept` by the caller.
void thin(const Contour& contour, size_t from, size_t to, double tolerance, std::vector<bool>& kept) {
  std::vector<std::pair<size_t, size_t>> open = {{from, to}};
  while (!open.empty()) {
    const auto [a, b] = open.back();
    open.pop_back();
    double farthest = tolerance;
    size_t at = a;
    for (size_t i = a + 1; i < b; ++i) {
      const double d = distance_to_line(contour[i], contour[a], contour[b % contour.size()]);
      if (d > farthest) farthest = d, at = i;
    }
    if (at == a) continue;
    kept[at] = true;
    open.emplace_back(a, at);
    open.emplace_back(at, b);
  }
}

Contour thinned(const Contour& contour, double tolerance) {
  if (contour.size() < 8) return contour;
  size_t across = 0;  // the point farthest from the first: both are kept
  double farthest = 0;
  for (size_t i = 1; i < contour.size(); ++i) {
    const double d = std::hypot(contour[i].x - contour[0].x, contour[i].y - contour[0].y);
    if (d > farthest) farthest = d, across = i;
  }
  std::vector<bool> kept(contour.size(), false);
  kept[0] = kept[across] = true;
  thin(contour, 0, across, tolerance, kept);
  thin(contour, across, contour.size(), tolerance, kept);
  Contour result;
  for (size_t i = 0; i < contour.size(); ++i) {
    if (kept[i]) result.push_back(contour[i]);
  }
  return result.size() >= 3 ? result : contour;
}

// Walks `hole` between two visits of the border's nearest corner.
void join_hole(Contour& border, const Contour& hole) {
  size_t from = 0, to = 0;
  double nearest = std::numeric_limits<double>::infinity();
  for (size_t i = 0; i < border.size(); ++i) {
    for (size_t j = 0; j < hole.size(); ++j) {
      const double d = std::hypot(border[i].x - hole[j].x, border[i].y - hole[j].y);
      if (d < nearest) nearest = d, from = i, to = j;
    }
  }
  Contour joined(border.begin(), border.begin() + static_cast<std::ptrdiff_t>(from) + 1);
  for (size_t j = 0; j <= hole.size(); ++j) joined.push_back(hole[(to + j) % hole.size()]);
  joined.insert(joined.end(), border.begin() + static_cast<std::ptrdiff_t>(from), border.end());
  border = std::move(joined);
}

std::vector<std::vector<double>> assemble(const std::vector<Loop>& loops, int32_t parts, double tolerance) {
  const auto contour_of = [&](const Loop& loop) {
    return tolerance > 0 ? thinned(side_middles(loop), tolerance) : true_corners(loop);
  };
  std::vector<Contour> borders(static_cast<size_t>(parts) + 1);
  for (const Loop& loop : loops) {
    if (!loop.hole) borders[loop.part] = contour_of(loop);
  }
  for (const Loop& loop : loops) {
    if (loop.hole) join_hole(borders[loop.part], contour_of(loop));
  }
  std::vector<std::vector<double>> polygons;
  for (const Contour& border : borders) {
    if (border.size() < 3) continue;
    polygons.emplace_back();
    for (const Point& p : border) {
      polygons.back().push_back(p.x);
      polygons.back().push_back(p.y);
    }
  }
  return polygons;
}

}  // namespace

std::vector<std::vector<double>> trace_polygons(std::span<const uint8_t> mask, int64_t width, int64_t height) {
  int32_t parts = 0;
  const std::vector<int32_t> labels = label_parts(mask, width, height, parts);
  if (parts == 0) return {};
  const std::vector<Loop> loops = BorderWalk(labels, width, height).loops();
  const auto h = static_cast<int32_t>(height), w = static_cast<int32_t>(width);
  const MeasuredMask truth(rle_encode(mask, h, w));
  constexpr double kFaithful = 0.97, kSameArea = 0.03;
  for (const double tolerance : {0.7, 0.4}) {
    std::vector<std::vector<double>> polygons = assemble(loops, parts, tolerance);
    const auto pixels = static_cast<double>(truth.area);
    if (std::abs(polygon_area(polygons) - pixels) > kSameArea * pixels) continue;
    std::vector<Rle> drawn;
    for (const auto& polygon : polygons) drawn.push_back(polygon_to_rle(polygon, h, w));
    if (!drawn.empty() && mask_iou(MeasuredMask(rle_union(drawn)), truth, false) >= kFaithful) return polygons;
  }
  return assemble(loops, parts, 0);
}

double polygon_area(const std::vector<std::vector<double>>& polygons) {
  double area = 0;
  for (const auto& polygon : polygons) {
    double twice = 0;
    for (size_t i = 0; i < polygon.size(); i += 2) {
      const size_t j = (i + 2) % polygon.size();
      twice += polygon[i] * polygon[j + 1] - polygon[j] * polygon[i + 1];
    }
    area += std::abs(twice) / 2;
  }
  return area;
}

}  // namespace tailseg::synthetic
