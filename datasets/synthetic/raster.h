// Outlines to pixels: which share of each pixel lies inside.
#pragma once

#include <cstdint>
#include <vector>

#include "datasets/synthetic/outline.h"

namespace tailseg::synthetic {

// Where an outline sits in a picture: p -> centre + scale * rotate(angle) (stretch p.x, p.y / stretch).
struct Pose {
  Point centre;        // pixels; the upper left pixel covers [0, 1) x [0, 1)
  double scale = 1;    // pixels per outline unit: about half the object's diameter
  double angle = 0;    // radians
  double stretch = 1;  // keeps the area

  Point to_picture(Point p) const;
  Point to_outline(Point p) const;
};

// A window of a picture.
struct Coverage {
  int64_t x = 0, y = 0, width = 0, height = 0;
  std::vector<float> inside;  // [height, width], 0 to 1

  float at(int64_t px, int64_t py) const {  // picture coordinates, 0 outside the window
    const int64_t column = px - x, row = py - y;
    return column >= 0 && row >= 0 && column < width && row < height ? inside[row * width + column] : 0.0f;
  }
};

// The outline's share of every pixel, over the window that it touches plus `margin`, cut to the picture. Exact along x,
// four lines a pixel along y.
Coverage rasterise(const Outline& outline, const Pose& pose, int64_t picture_width, int64_t picture_height,
                   int64_t margin);

}  // namespace tailseg::synthetic
