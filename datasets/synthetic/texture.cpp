#include "datasets/synthetic/texture.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "tensor/error.h"

namespace tailseg::synthetic {
namespace {

constexpr double kTurn = 2 * std::numbers::pi;

// 0 below -width, 1 above width, a straight ramp between.
float ramp(double signed_distance, double width) {
  return static_cast<float>(std::clamp(0.5 + 0.5 * signed_distance / std::max(width, 1e-9), 0.0, 1.0));
}

double fraction(double x) { return x - std::floor(x); }

// A wave of the given number of periods a unit, as a signed distance in units: positive on half of each period.
double wave(double x, double periods) { return std::sin(kTurn * periods * x) / (kTurn * periods); }

}  // namespace

Colour hsv(double hue, double saturation, double value) {
  const auto channel = [&](double offset) {
    const double k = 6 * fraction(hue + offset / 6);
    const double dip = std::clamp(std::min(k, 4 - k), 0.0, 1.0);
    return static_cast<float>(value * (1 - saturation * dip));
  };
  return {channel(5), channel(3), channel(1)};
}

Colour draw_colour(RandomStream& random, double hue, Span saturation, Span value) {
  const float drawn_saturation = random.uniform(saturation.low, saturation.high);
  const float drawn_value = random.uniform(value.low, value.high);
  return hsv(hue, drawn_saturation, drawn_value);
}

Colour mix(const Colour& a, const Colour& b, float t) {
  return {a.r + (b.r - a.r) * t, a.g + (b.g - a.g) * t, a.b + (b.b - a.b) * t};
}

const char* texture_name(Texture texture) {
  static const char* const names[kTextureCount] = {"plain",  "striped", "checked", "dotted",
                                                   "halved", "ringed",  "gridded", "shaded"};
  return names[static_cast<int>(texture)];
}

float texture_share(Texture texture, double u, double v, double phase, double pixel) {
  switch (texture) {
    case Texture::kPlain:
      return 0.0f;
    case Texture::kStriped:
      return ramp(wave(u + phase, 1.9), 0.5 * pixel);
    case Texture::kChecked: {
      const double a = wave(u + phase, 1.25), b = wave(v + phase, 1.25);
      const float both = ramp(a, 0.5 * pixel), other = ramp(b, 0.5 * pixel);
      return both * other + (1 - both) * (1 - other);
    }
    case Texture::kDotted: {
      const double pitch = 0.54;
      const double x = fraction((u + phase) / pitch) - 0.5, y = fraction((v + phase) / pitch) - 0.5;
      return ramp(0.17 - std::hypot(x, y) * pitch, 0.5 * pixel);
    }
    case Texture::kHalved:
      return ramp(u, 0.5 * pixel);
    case Texture::kRinged:
      return ramp(wave(std::hypot(u, v) + 0.08 + 0.1 * phase, 1.8), 0.5 * pixel);
    case Texture::kGridded: {
      const double pitch = 0.46;
      const double x = std::abs(fraction((u + phase) / pitch) - 0.5), y = std::abs(fraction((v + phase) / pitch) - 0.5);
      return ramp(0.07 - std::min(x, y) * pitch, 0.5 * pixel);
    }
    case Texture::kShaded:
      return static_cast<float>(std::clamp(0.5 + 0.62 * v, 0.0, 1.0));
  }
  fail("unknown texture ", static_cast<int>(texture));
}

}  // namespace tailseg::synthetic
