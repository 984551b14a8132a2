#include "apps/picture/canvas.h"

#include <algorithm>
#include <cmath>

namespace tailseg {
namespace {

// Hue, saturation and value in [0, 1) to RGB.
Colour from_hsv(double hue, double saturation, double value) {
  const auto channel = [&](double shift) {
    const double k = std::fmod(shift + hue * 6, 6.0);
    const double part = value - value * saturation * std::clamp(std::min(k, 4 - k), 0.0, 1.0);
    return uint8_t(std::lround(part * 255));
  };
  return {channel(5), channel(3), channel(1)};
}

uint8_t mix(uint8_t a, uint8_t b, double share) { return uint8_t(std::lround(a + (double(b) - a) * share)); }

// The share of the pixel [p, p + 1) that [low, high) covers.
double covered(int64_t p, double low, double high) {
  return std::clamp(std::min(high, double(p) + 1) - std::max(low, double(p)), 0.0, 1.0);
}

struct PixelRange {
  int64_t first, last;  // inclusive; empty when first > last
};

PixelRange pixels(double low, double high, int64_t size) {
  const double first = std::clamp(std::floor(low), 0.0, double(size));
  const double last = std::clamp(std::ceil(high) - 1, -1.0, double(size) - 1);
  return {int64_t(first), int64_t(last)};
}

}  // namespace

Colour instance_colour(int64_t index) {
  constexpr double kGolden = 0.6180339887498949;
  const double hue = std::fmod(0.58 + double(index) * kGolden, 1.0);
  const bool deep = index % 2 == 0;
  return from_hsv(hue, deep ? 0.85 : 0.62, deep ? 0.95 : 1.0);
}

Colour mixed(const Colour& a, const Colour& b, double share_of_b) {
  return {mix(a.red, b.red, share_of_b), mix(a.green, b.green, share_of_b), mix(a.blue, b.blue, share_of_b)};
}

double brightness(const Colour& colour) { return 0.299 * colour.red + 0.587 * colour.green + 0.114 * colour.blue; }

void blend(Image& image, int64_t x, int64_t y, const Colour& colour, double opacity) {
  if (x < 0 || y < 0 || x >= image.width || y >= image.height || opacity <= 0) return;
  const double share = std::min(opacity, 1.0);
  uint8_t* pixel = image.row(y) + x * 3;
  pixel[0] = mix(pixel[0], colour.red, share);
  pixel[1] = mix(pixel[1], colour.green, share);
  pixel[2] = mix(pixel[2], colour.blue, share);
}

void fill_rectangle(Image& image, double x1, double y1, double x2, double y2, const Colour& colour, double opacity) {
  const PixelRange columns = pixels(x1, x2, image.width), rows = pixels(y1, y2, image.height);
  for (int64_t y = rows.first; y <= rows.last; ++y) {
    for (int64_t x = columns.first; x <= columns.last; ++x) {
      blend(image, x, y, colour, opacity * covered(x, x1, x2) * covered(y, y1, y2));
    }
  }
}

void draw_segment(Image& image, double x1, double y1, double x2, double y2, double thickness, const Colour& colour,
                  double opacity) {
  const double reach = thickness / 2 + 1;
  const PixelRange columns = pixels(std::min(x1, x2) - reach, std::max(x1, x2) + reach, image.width);
  const PixelRange rows = pixels(std::min(y1, y2) - reach, std::max(y1, y2) + reach, image.height);
  const double dx = x2 - x1, dy = y2 - y1, length2 = dx * dx + dy * dy;
  for (int64_t y = rows.first; y <= rows.last; ++y) {
    for (int64_t x = columns.first; x <= columns.last; ++x) {
      const double px = double(x) + 0.5 - x1, py = double(y) + 0.5 - y1;
      const double along = length2 > 0 ? std::clamp((px * dx + py * dy) / length2, 0.0, 1.0) : 0.0;
      const double distance = std::hypot(px - along * dx, py - along * dy);
      blend(image, x, y, colour, opacity * std::clamp(thickness / 2 + 0.5 - distance, 0.0, 1.0));
    }
  }
}

void draw_rectangle(Image& image, double x1, double y1, double x2, double y2, double thickness, const Colour& colour,
                    double opacity) {
  const double half = thickness / 2;
  fill_rectangle(image, x1 - half, y1 - half, x2 + half, y1 + half, colour, opacity);
  fill_rectangle(image, x1 - half, y2 - half, x2 + half, y2 + half, colour, opacity);
  fill_rectangle(image, x1 - half, y1 + half, x1 + half, y2 - half, colour, opacity);
  fill_rectangle(image, x2 - half, y1 + half, x2 + half, y2 - half, colour, opacity);
}

void paste(Image& image, const Image& source, int64_t x, int64_t y) {
  const int64_t first = std::max<int64_t>(0, -x), last = std::min(source.width, image.width - x);
  if (first >= last) return;
  for (int64_t row = std::max<int64_t>(0, -y); row < std::min(source.height, image.height - y); ++row) {
    std::copy(source.row(row) + first * 3, source.row(row) + last * 3, image.row(y + row) + (x + first) * 3);
  }
}

}  // namespace tailseg
