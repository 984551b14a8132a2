// Drawing on an Image: everything is anti-aliased by the distance of a pixel's centre to the shape, and blended.
// Coordinates are in pixels with pixel centres at +0.5; what lies outside the image is cut off.
#pragma once

#include <cstdint>
#include <string>

#include "datasets/image.h"

namespace tailseg {

struct Colour {
  uint8_t red = 0, green = 0, blue = 0;
  bool operator==(const Colour&) const = default;
};

// Distinct, bright colours for instance 0, 1, 2, ..: hues by the golden ratio, so that neighbours in the order differ
// most, with two depths of saturation and value.
Colour instance_colour(int64_t index);

Colour mixed(const Colour& a, const Colour& b, double share_of_b);

// 0.299 R + 0.587 G + 0.114 B, 0 to 255: whether dark or light text reads better on it.
double brightness(const Colour& colour);

void blend(Image& image, int64_t x, int64_t y, const Colour& colour, double opacity);
void fill_rectangle(Image& image, double x1, double y1, double x2, double y2, const Colour& colour, double opacity);
void draw_segment(Image& image, double x1, double y1, double x2, double y2, double thickness, const Colour& colour,
                  double opacity);
// The outline of a rectangle, `thickness` wide, centred on its edges.
void draw_rectangle(Image& image, double x1, double y1, double x2, double y2, double thickness, const Colour& colour,
                    double opacity);
// `source` with its corner at (x, y), cut to the image.
void paste(Image& image, const Image& source, int64_t x, int64_t y);

}  // namespace tailseg
