// The ground of a synthetic picture: two colours blended by smooth noise, muted blobs and strokes that belong to no
// class, and the light that falls on everything.
#pragma once

#include <vector>

#include "datasets/synthetic/texture.h"
#include "tensor/philox.h"

namespace tailseg::synthetic {

struct Light {
  double x = 0, y = 0;  // direction it comes from, a unit vector in the picture
  double level = 1;     // brightness of the whole picture
  double fall = 0;      // how much darker the far side is
  Colour tint = {1, 1, 1};
};
Light draw_light(RandomStream& random);

// The light's strength at a pixel.
float light_at(const Light& light, int64_t x, int64_t y, int64_t width, int64_t height);

// [height, width] colours before light.
std::vector<Colour> paint_ground(int64_t width, int64_t height, RandomStream& random);

}  // namespace tailseg::synthetic
