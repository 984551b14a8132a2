// Both bodies: one item = one row (bitmap) or one column (polygon) of one RoI's target; lanes walk the other axis.
#pragma once

#include "tensor/body.h"

namespace tailseg {

// A RoIAlign of a 0/1 bitmap that is stored as a crop: pixels outside the crop are 0, pixels outside the frame follow
// RoIAlign's border rule (METHODS 2.7).
struct BitmapTarget {
  static constexpr const char* name = "bitmap_target";
  static constexpr Lanes lanes = Lanes::warp;
  const uint8_t* pixels;
  const int32_t* crops;
  const int64_t* offsets;
  const float* rois;
  const int32_t* image;
  const int32_t* truth;
  const int32_t* frame;
  float* out;  // [R, M, M]
  int64_t size, capacity;
  bool aligned;  // mmdet: half-pixel shift, RoI clipped to the frame, threshold; else torchvision

  template <class Group>
  TS_HD void operator()(Group group, int64_t item) const {
    const int64_t roi = item / size, p = item % size;
    float* row = out + item * size;
    if (truth[roi] < 0) {
      for (int64_t q = group.rank(); q < size; q += group.size()) row[q] = 0;
      return;
    }
    const View view = view_of(roi);
    for (int64_t q = group.rank(); q < size; q += group.size()) {
      const float mean = bin_mean(view, p, q);
      row[q] = aligned ? (mean >= 0.5f ? 1.f : 0.f) : mean;
    }
  }
  Cost cost(int64_t items) const { return {double(items) * double(size) * 12, double(items) * double(size) * 60}; }

 private:
  struct View {
    const uint8_t* crop;
    int32_t x, y, w, h;  // of the crop
    int32_t frame_h, frame_w;
    float x1, y1, bin_w, bin_h;
    int64_t grid_h, grid_w;
  };

  TS_HD View view_of(int64_t roi) const {
    const int64_t n = image[roi], instance = n * capacity + truth[roi];
    const int32_t* rect = crops + instance * 4;
    View v{pixels + offsets[instance],
           rect[0],
           rect[1],
           rect[2],
           rect[3],
           frame[n * 2],
           frame[n * 2 + 1],
           0,
           0,
           0,
           0,
           0,
           0};
    float x1 = rois[roi * 4], y1 = rois[roi * 4 + 1], x2 = rois[roi * 4 + 2], y2 = rois[roi * 4 + 3];
    float width, height;
    if (aligned) {
      const auto right = static_cast<float>(v.frame_w), bottom = static_cast<float>(v.frame_h);
      x1 = math::clamp(x1, 0.f, right);
      x2 = math::clamp(x2, 0.f, right);
      y1 = math::clamp(y1, 0.f, bottom);
      y2 = math::clamp(y2, 0.f, bottom);
      width = x2 - x1;
      height = y2 - y1;
      x1 -= 0.5f;
      y1 -= 0.5f;
    } else {
      width = math::max(x2 - x1, 1.f);
      height = math::max(y2 - y1, 1.f);
    }
    v.x1 = x1;
    v.y1 = y1;
    v.bin_w = width / static_cast<float>(size);
    v.bin_h = height / static_cast<float>(size);
    // A NaN or absurd box must not become an endless loop: no bin is larger than the frame.
    v.grid_w = width > 0 ? static_cast<int64_t>(math::ceil(math::min(v.bin_w, static_cast<float>(v.frame_w)))) : 0;
    v.grid_h = height > 0 ? static_cast<int64_t>(math::ceil(math::min(v.bin_h, static_cast<float>(v.frame_h)))) : 0;
    return v;
  }

  TS_HD static float pixel(const View& v, int64_t row, int64_t column) {
    const int64_t i = row - v.y, j = column - v.x;
    return i >= 0 && i < v.h && j >= 0 && j < v.w ? static_cast<float>(v.crop[i * v.w + j]) : 0.f;
  }

  TS_HD static float sample(const View& v, float y, float x) {
    if (!(y >= -1.f && y <= static_cast<float>(v.frame_h) && x >= -1.f && x <= static_cast<float>(v.frame_w))) return 0;
    y = math::max(y, 0.f);
    x = math::max(x, 0.f);
    auto y0 = static_cast<int64_t>(y), x0 = static_cast<int64_t>(x);
    int64_t y1 = y0 + 1, x1 = x0 + 1;
    if (y0 >= v.frame_h - 1) {
      y0 = y1 = v.frame_h - 1;
      y = static_cast<float>(y0);
    }
    if (x0 >= v.frame_w - 1) {
      x0 = x1 = v.frame_w - 1;
      x = static_cast<float>(x0);
    }
    const float ly = y - static_cast<float>(y0), lx = x - static_cast<float>(x0), hy = 1.f - ly, hx = 1.f - lx;
    return hy * hx * pixel(v, y0, x0) + hy * lx * pixel(v, y0, x1) + ly * hx * pixel(v, y1, x0) +
           ly * lx * pixel(v, y1, x1);
  }

  TS_HD static float bin_mean(const View& v, int64_t p, int64_t q) {
    float total = 0;
    for (int64_t i = 0; i < v.grid_h; ++i) {
      const float y = v.y1 + static_cast<float>(p) * v.bin_h +
                      (static_cast<float>(i) + 0.5f) * v.bin_h / static_cast<float>(v.grid_h);
      for (int64_t j = 0; j < v.grid_w; ++j) {
        const float x = v.x1 + static_cast<float>(q) * v.bin_w +
                        (static_cast<float>(j) + 0.5f) * v.bin_w / static_cast<float>(v.grid_w);
        total += sample(v, y, x);
      }
    }
    const int64_t count = v.grid_h * v.grid_w;
    return count > 0 ? total / static_cast<float>(count) : 0.f;
  }
};

// Polygons filled on the M x M grid of a RoI, each by even-odd, and united. A closed outline crosses the middle of
// every column an even number of times, so each column can be filled on its own: `flips` marks where the outline enters
// and leaves it. Two rules say where a crossing lies: COCO's, on a grid five times as fine (METHODS 8.5), and the plain
// one, by which a pixel is inside when its centre is.
struct PolygonTarget {
  static constexpr const char* name = "polygon_target";
  static constexpr Lanes lanes = Lanes::one;
  static constexpr int64_t kMaxSize = 64;
  const float* points;
  const int32_t* polygon_begin;
  const int32_t* instance_begin;
  const float* rois;
  const int32_t* image;
  const int32_t* truth;
  float* out;  // [R, M, M]
  int64_t size, capacity;
  double smallest_roi;
  bool coco;

  template <class Group>
  TS_HD void operator()(Group group, int64_t item) const {
    if (group.rank() != 0) return;
    const int64_t roi = item / size, column = item % size;
    float* target = out + roi * size * size + column;
    for (int64_t row = 0; row < size; ++row) target[row * size] = 0;
    if (truth[roi] < 0) return;
    const int64_t instance = int64_t{image[roi]} * capacity + truth[roi];
    for (int32_t p = instance_begin[instance]; p < instance_begin[instance + 1]; ++p) {
      uint64_t flips[2] = {0, 0};  // bit y: the outline crosses this column just above row y (M <= 64, plus row M)
      const int32_t begin = polygon_begin[p], count = polygon_begin[p + 1] - begin;
      for (int32_t i = 0; i < count; ++i) {
        const float* a = points + 2 * (begin + i);
        const float* b = points + 2 * (begin + (i + 1) % count);
        if (coco) {
          cross_fine(roi, a, b, column, flips);
        } else {
          cross_centre(roi, a, b, column, flips);
        }
      }
      bool inside = false;
      for (int64_t row = 0; row < size; ++row) {
        inside ^= (flips[row / 64] >> (row % 64) & 1) != 0;
        if (inside) target[row * size] = 1;
      }
    }
  }
  Cost cost(int64_t items) const { return {double(items) * double(size) * 4, double(items) * 4000}; }

 private:
  static constexpr double kScale = 5;  // the rule works on a grid five times as fine

  // A coordinate in the RoI's grid. Far outside it is cut off, so that a NaN or absurd one stays a number.
  TS_HD double moved(int64_t roi, float value, int axis) const {
    constexpr double kLimit = 1e6;
    const double low = rois[roi * 4 + axis];
    const double extent = math::max(double(rois[roi * 4 + 2 + axis]) - low, smallest_roi);
    const double at = (double(value) - low) * (double(size) / extent);
    return at >= -kLimit ? math::min(at, kLimit) : -kLimit;
  }
  TS_HD int64_t fine(int64_t roi, float value, int axis) const {
    return static_cast<int64_t>(kScale * moved(roi, value, axis) + 0.5);
  }

  // One edge as the rule walks it: along its longer axis, always in the direction of growing coordinates.
  TS_HD void cross_fine(int64_t roi, const float* a, const float* b, int64_t column, uint64_t* flips) const {
    int64_t xs = fine(roi, a[0], 0), ys = fine(roi, a[1], 1), xe = fine(roi, b[0], 0), ye = fine(roi, b[1], 1);
    const int64_t dx = math::abs(xe - xs), dy = math::abs(ys - ye);
    if ((dx >= dy && xs > xe) || (dx < dy && ys > ye)) {
      int64_t t = xs;
      xs = xe;
      xe = t;
      t = ys;
      ys = ye;
      ye = t;
    }
    const int64_t steps = math::max(dx, dy);
    if (steps == 0) return;
    const double slope = dx >= dy ? double(ye - ys) / double(dx) : double(xe - xs) / double(dy);
    // Steps between x and x + 1 of the fine grid cross the middle of a column when x + 0.5 is (column + 0.5) * 5.
    const double middle = (double(column) + 0.5) * kScale - 0.5;
    const auto wanted = static_cast<int64_t>(middle);
    if (dx >= dy) {
      if (wanted < xs || wanted >= xe) return;
      mark(height_at(ys, slope, wanted - xs), height_at(ys, slope, wanted + 1 - xs), flips);
      return;
    }
    if (math::max(xs, xe) <= wanted || math::min(xs, xe) > wanted) return;
    // x is monotone in t: bisect for the one step that crosses.
    const bool starts_beyond = height_at(xs, slope, 0) > wanted;
    int64_t before = 0, after = steps;
    while (after - before > 1) {
      const int64_t half = (before + after) / 2;
      if ((height_at(xs, slope, half) > wanted) == starts_beyond) {
        before = half;
      } else {
        after = half;
      }
    }
    mark(ys + before, ys + after, flips);
  }

  // One edge against the middle of the column, x + 0.5; an end that lies on it counts as left of it.
  TS_HD void cross_centre(int64_t roi, const float* a, const float* b, int64_t column, uint64_t* flips) const {
    const double middle = double(column) + 0.5;
    const double xa = moved(roi, a[0], 0), ya = moved(roi, a[1], 1), xb = moved(roi, b[0], 0), yb = moved(roi, b[1], 1);
    if ((xa <= middle) == (xb <= middle)) return;
    const double y = ya + (middle - xa) * ((yb - ya) / (xb - xa));
    flip(math::ceil(math::clamp(y - 0.5, 0.0, double(size))), flips);  // the first row whose centre lies below
  }

  TS_HD static int64_t height_at(int64_t start, double slope, int64_t t) {
    return static_cast<int64_t>(double(start) + slope * double(t) + 0.5);
  }

  TS_HD void mark(int64_t y0, int64_t y1, uint64_t* flips) const {
    const double y = (double(math::min(y0, y1)) + 0.5) / kScale - 0.5;
    flip(math::ceil(math::clamp(y, 0.0, double(size))), flips);
  }
  TS_HD static void flip(double at, uint64_t* flips) {
    const auto row = static_cast<int64_t>(at);
    flips[row / 64] ^= uint64_t{1} << (row % 64);
  }
};

}  // namespace tailseg
