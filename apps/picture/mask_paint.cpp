#include "apps/picture/mask_paint.h"

#include <algorithm>
#include <cmath>

namespace tailseg {
namespace {

// The mask at canvas resolution: a byte map of the part of the canvas that it may touch.
struct Region {
  int64_t x = 0, y = 0, width = 0, height = 0;
  std::vector<uint8_t> inside;  // [height, width]

  bool at(int64_t px, int64_t py) const { return inside[size_t(py * width + px)] != 0; }
};

Region enlarge_mask(const Image& canvas, const PictureInstance& instance, int64_t factor) {
  Region region;  // one photo pixel more on each side, where the bilinear mask fades out
  region.x = std::max<int64_t>(0, (instance.mask_x - 1) * factor);
  region.y = std::max<int64_t>(0, (instance.mask_y - 1) * factor);
  region.width = std::min(canvas.width, (instance.mask_x + instance.mask_width + 1) * factor) - region.x;
  region.height = std::min(canvas.height, (instance.mask_y + instance.mask_height + 1) * factor) - region.y;
  region.inside.assign(size_t(region.width * region.height), 0);
  const int64_t photo_width = canvas.width / factor, photo_height = canvas.height / factor;
  const auto sample = [&](int64_t x, int64_t y) {  // photo pixels; the photo's border is repeated
    x = std::clamp<int64_t>(x, 0, photo_width - 1) - instance.mask_x;
    y = std::clamp<int64_t>(y, 0, photo_height - 1) - instance.mask_y;
    if (x < 0 || y < 0 || x >= instance.mask_width || y >= instance.mask_height) return 0.0;
    return instance.mask[size_t(y * instance.mask_width + x)] ? 1.0 : 0.0;
  };
  for (int64_t py = 0; py < region.height; ++py) {
    const double sy = (double(region.y + py) + 0.5) / double(factor) - 0.5;
    const auto y0 = int64_t(std::floor(sy));
    const double fy = sy - double(y0);
    for (int64_t px = 0; px < region.width; ++px) {
      const double sx = (double(region.x + px) + 0.5) / double(factor) - 0.5;
      const auto x0 = int64_t(std::floor(sx));
      const double fx = sx - double(x0);
      const double above = sample(x0, y0) * (1 - fx) + sample(x0 + 1, y0) * fx;
      const double below = fy > 0 ? sample(x0, y0 + 1) * (1 - fx) + sample(x0 + 1, y0 + 1) * fx : 0.0;
      region.inside[size_t(py * region.width + px)] = above * (1 - fy) + below * fy >= 0.5;
    }
  }
  return region;
}

// Opacity of the outline around a region: each border between an inside and an outside pixel is a point half-way
// between their centres, and a pixel is covered by its distance to the nearest one.
class Outline {
 public:
  Outline(const Region& region, double thickness)
      : margin_(int64_t(std::ceil(thickness / 2)) + 1),
        width_(region.width + 2 * margin_),
        height_(region.height + 2 * margin_),
        half_(thickness / 2),
        opacity_(size_t(width_ * height_), 0.0f) {
    for (int64_t y = 0; y < region.height; ++y) {
      for (int64_t x = 0; x < region.width; ++x) {
        const bool here = region.at(x, y);
        if (x + 1 < region.width && region.at(x + 1, y) != here) stamp(double(x) + 1, double(y) + 0.5);
        if (y + 1 < region.height && region.at(x, y + 1) != here) stamp(double(x) + 0.5, double(y) + 1);
      }
    }
  }

  void paint(Image& canvas, const Region& region, const Colour& colour) const {
    for (int64_t y = 0; y < height_; ++y) {
      for (int64_t x = 0; x < width_; ++x) {
        const float opacity = opacity_[size_t(y * width_ + x)];
        if (opacity > 0) blend(canvas, region.x + x - margin_, region.y + y - margin_, colour, opacity);
      }
    }
  }

 private:
  void stamp(double x, double y) {
    const auto cx = int64_t(x) + margin_, cy = int64_t(y) + margin_;
    for (int64_t py = std::max<int64_t>(0, cy - margin_); py <= std::min(height_ - 1, cy + margin_); ++py) {
      for (int64_t px = std::max<int64_t>(0, cx - margin_); px <= std::min(width_ - 1, cx + margin_); ++px) {
        const double distance = std::hypot(double(px - margin_) + 0.5 - x, double(py - margin_) + 0.5 - y);
        const auto cover = float(std::clamp(half_ + 0.5 - distance, 0.0, 1.0));
        float& kept = opacity_[size_t(py * width_ + px)];
        kept = std::max(kept, cover);
      }
    }
  }

  int64_t margin_, width_, height_;
  double half_;
  std::vector<float> opacity_;
};

}  // namespace

void paint_mask(Image& canvas, const PictureInstance& instance, int64_t factor, const Colour& colour, double opacity,
                double outline) {
  const Region region = enlarge_mask(canvas, instance, factor);
  for (int64_t y = 0; y < region.height; ++y) {
    for (int64_t x = 0; x < region.width; ++x) {
      if (region.at(x, y)) blend(canvas, region.x + x, region.y + y, colour, opacity);
    }
  }
  Outline(region, outline).paint(canvas, region, colour);
}

}  // namespace tailseg
