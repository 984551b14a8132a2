// Surfaces: how the inside of an outline is coloured. A texture says, point by point, how much of the second of two
// colours shows.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tensor/philox.h"

namespace tailseg::synthetic {

struct Colour {
  float r = 0, g = 0, b = 0;  // 0 to 1
};
Colour hsv(double hue, double saturation, double value);  // hue in turns, any real number
struct Span {
  float low, high;
};
Colour draw_colour(RandomStream& random, double hue, Span saturation, Span value);
Colour mix(const Colour& a, const Colour& b, float share_of_b);

enum class Texture { kPlain, kStriped, kChecked, kDotted, kHalved, kRinged, kGridded, kShaded };
constexpr int kTextureCount = 8;
const char* texture_name(Texture texture);  // an adjective: "striped"

// The second colour's share at (u, v) in outline coordinates, 0 to 1. `phase` (0 to 1) shifts the pattern; `pixel` is a
// pixel's size in outline units, over which borders are blurred.
float texture_share(Texture texture, double u, double v, double phase, double pixel);

}  // namespace tailseg::synthetic
