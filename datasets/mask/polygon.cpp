#include "datasets/mask/polygon.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "tensor/error.h"

namespace tailseg {

namespace {

constexpr int kFine = 5;  // fine columns and rows in a pixel

struct Point {
  int x, y;
};

// Collects the places x * h + y at which the edges of one polygon flip inside and outside.
class Crossings {
 public:
  Crossings(int32_t height, int32_t width) : height_(height), width_(width) {}

  void add_edge(Point from, Point to) {
    const int dx = std::abs(to.x - from.x), dy = std::abs(to.y - from.y);
    if (dx == 0) return;  // stays in one fine column
    const bool flat = dx >= dy;
    if (flat ? from.x > to.x : from.y > to.y) std::swap(from, to);
    const int low = std::min(from.x, to.x), high = std::max(from.x, to.x);
    // pixel columns c with low <= 5c + 2 and 5c + 3 <= high
    const int first = std::max(0, ceil_div(low - 2)), last = std::min(width_ - 1, floor_div(high - 3));
    if (first > last) return;
    if (flat) {
      const double slope = static_cast<double>(to.y - from.y) / dx;
      const auto row = [&](int t) { return static_cast<int>(from.y + slope * t + .5); };
      for (int c = first; c <= last; ++c) {
        const int t = kFine * c + 2 - from.x;
        flip(c, std::min(row(t), row(t + 1)));
      }
    } else {
      add_steep(from, static_cast<double>(to.x - from.x) / dy, dy, first, last);
    }
  }

  std::vector<uint32_t>& places() { return places_; }

 private:
  static int floor_div(int a) { return a >= 0 ? a / kFine : -((-a + kFine - 1) / kFine); }
  static int ceil_div(int a) { return -floor_div(-a); }

  // A steep edge has one point in each fine row; its fine column moves by 0 or 1 from one to the next. The crossing of
  // pixel column c is the step between 5c + 2 and 5c + 3: t is the row before it, found from the line's equation and
  // then corrected by looking at the points themselves.
  void add_steep(Point from, double slope, int dy, int first, int last) {
    const auto column = [&](int t) { return static_cast<int>(from.x + slope * t + .5); };
    for (int c = first; c <= last; ++c) {
      const int left = kFine * c + 2;
      const auto before = [&](int t) { return slope > 0 ? column(t) <= left : column(t) > left; };
      int t = static_cast<int>((left + .5 - from.x) / slope);
      t = std::clamp(t, 0, dy - 1);
      while (t > 0 && !before(t)) --t;
      while (t < dy - 1 && before(t + 1)) ++t;
      flip(c, from.y + t);
    }
  }

  void flip(int column, int fine_row) {
    const double row = std::ceil(std::clamp((fine_row + .5) / kFine - .5, 0., static_cast<double>(height_)));
    places_.push_back(static_cast<uint32_t>(column) * static_cast<uint32_t>(height_) + static_cast<uint32_t>(row));
  }

  int32_t height_, width_;
  std::vector<uint32_t> places_;
};

Point to_fine(double x, double y) {
  TS_CHECK(std::abs(x) <= kLargestCoordinate && std::abs(y) <= kLargestCoordinate, "polygon: the point (", x, ", ", y,
           ") is not finite or too far away");
  return {static_cast<int>(kFine * x + .5), static_cast<int>(kFine * y + .5)};
}

}  // namespace

Rle polygon_to_rle(std::span<const double> coordinates, int32_t height, int32_t width) {
  TS_CHECK(coordinates.size() % 2 == 0 && coordinates.size() >= 6,
           "polygon: expected an even count of at least 6 coordinates, got ", coordinates.size());
  const int64_t pixels = static_cast<int64_t>(height) * width;
  TS_CHECK(height >= 0 && width >= 0 && pixels <= UINT32_MAX, "polygon: a mask of ", height, "x", width,
           " pixels cannot be encoded");
  Crossings crossings(height, width);
  Point previous = to_fine(coordinates[coordinates.size() - 2], coordinates[coordinates.size() - 1]);
  for (size_t i = 0; i < coordinates.size(); i += 2) {
    const Point next = to_fine(coordinates[i], coordinates[i + 1]);
    crossings.add_edge(previous, next);
    previous = next;
  }
  std::vector<uint32_t>& places = crossings.places();
  std::sort(places.begin(), places.end());
  Rle rle{height, width, {}};
  uint32_t run_begin = 0;
  for (size_t i = 0; i < places.size();) {
    size_t same = i;
    while (same < places.size() && places[same] == places[i]) ++same;
    if ((same - i) % 2 == 1 && places[i] < pixels) {
      rle.counts.push_back(places[i] - run_begin);
      run_begin = places[i];
    }
    i = same;
  }
  rle.counts.push_back(static_cast<uint32_t>(pixels) - run_begin);
  return rle;
}

Rle box_to_rle(const std::array<double, 4>& box, int32_t height, int32_t width) {
  const double x0 = box[0], y0 = box[1], x1 = box[0] + box[2], y1 = box[1] + box[3];
  return polygon_to_rle(std::array{x0, y0, x0, y1, x1, y1, x1, y0}, height, width);
}

}  // namespace tailseg
