#include "datasets/synthetic/ground.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "datasets/synthetic/raster.h"

namespace tailseg::synthetic {
namespace {

constexpr double kTurn = 2 * std::numbers::pi;

// Smooth noise: random values on a lattice of `cells` cells along the shorter side, blended with a cubic step.
class ValueNoise {
 public:
  ValueNoise(int64_t width, int64_t height, int cells, RandomStream& random)
      : cell_(static_cast<double>(std::min(width, height)) / cells),
        columns_(static_cast<int64_t>(static_cast<double>(width) / cell_) + 2) {
    const auto rows = static_cast<int64_t>(static_cast<double>(height) / cell_) + 2;
    values_.resize(static_cast<size_t>(columns_ * rows));
    for (float& value : values_) value = random.uniform();
  }

  float at(int64_t x, int64_t y) const {  // 0 to 1
    const double fx = (static_cast<double>(x) + 0.5) / cell_, fy = (static_cast<double>(y) + 0.5) / cell_;
    const auto cx = static_cast<int64_t>(fx), cy = static_cast<int64_t>(fy);
    const float sx = smooth(fx - static_cast<double>(cx)), sy = smooth(fy - static_cast<double>(cy));
    const float* corner = values_.data() + cy * columns_ + cx;
    const float upper = corner[0] + (corner[1] - corner[0]) * sx;
    const float lower = corner[columns_] + (corner[columns_ + 1] - corner[columns_]) * sx;
    return upper + (lower - upper) * sy;
  }

 private:
  static float smooth(double t) { return static_cast<float>(t * t * (3 - 2 * t)); }
  double cell_;
  int64_t columns_;
  std::vector<float> values_;
};

Outline blob(RandomStream& random) {  // a lumpy closed curve, unlike any class
  const double a = random.uniform(0.1f, 0.35f), b = random.uniform(0.05f, 0.25f);
  const double p = random.uniform(), q = random.uniform();
  Contour contour;
  for (int i = 0; i < 28; ++i) {
    const double t = kTurn * i / 28;
    const double radius = 0.7 + a * std::sin(2 * t + kTurn * p) + b * std::sin(3 * t + kTurn * q);
    contour.push_back({radius * std::cos(t), radius * std::sin(t)});
  }
  return {"", {contour}};
}

Outline stroke() { return {"", {{{-1, -1}, {1, -1}, {1, 1}, {-1, 1}}}}; }

}  // namespace

Light draw_light(RandomStream& random) {
  Light light;
  const double angle = -kTurn / 4 + kTurn * random.uniform(-0.2f, 0.2f);  // from above, more or less
  light.x = std::cos(angle);
  light.y = std::sin(angle);
  light.level = random.uniform(0.75f, 1.1f);
  light.fall = random.uniform(0.0f, 0.4f);
  const float warmth = random.uniform(-0.06f, 0.06f);
  light.tint = {1 + warmth, 1, 1 - warmth};
  return light;
}

float light_at(const Light& light, int64_t x, int64_t y, int64_t width, int64_t height) {
  const double u = (static_cast<double>(x) + 0.5) / static_cast<double>(width) - 0.5;
  const double v = (static_cast<double>(y) + 0.5) / static_cast<double>(height) - 0.5;
  return static_cast<float>(light.level * (1 + light.fall * (u * light.x + v * light.y)));
}

std::vector<Colour> paint_ground(int64_t width, int64_t height, RandomStream& random) {
  const double hue = random.uniform();
  const Colour low = draw_colour(random, hue, {0.08f, 0.4f}, {0.3f, 0.6f});
  const double other_hue = hue + random.uniform(-0.12f, 0.12f);
  const Colour high = draw_colour(random, other_hue, {0.05f, 0.35f}, {0.5f, 0.85f});
  const ValueNoise broad(width, height, 3, random);
  const ValueNoise fine(width, height, 11, random);
  std::vector<Colour> ground(static_cast<size_t>(width * height));
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      ground[y * width + x] = mix(low, high, 0.68f * broad.at(x, y) + 0.32f * fine.at(x, y));
    }
  }
  const double side = static_cast<double>(std::min(width, height));
  const int items = 3 + static_cast<int>(random.below(6));
  for (int i = 0; i < items; ++i) {
    const bool is_stroke = random.uniform() < 0.5f;
    Pose pose;
    pose.centre = {random.uniform() * static_cast<double>(width), random.uniform() * static_cast<double>(height)};
    pose.angle = kTurn * random.uniform();
    pose.scale = side * (is_stroke ? random.uniform(0.03f, 0.1f) : random.uniform(0.08f, 0.3f));
    pose.stretch = is_stroke ? random.uniform(3.0f, 6.0f) : random.uniform(0.7f, 1.4f);
    const Outline outline = is_stroke ? stroke() : blob(random);
    const double item_hue = hue + random.uniform(-0.2f, 0.2f);
    const Colour drawn = draw_colour(random, item_hue, {0.25f, 0.25f}, {0.25f, 0.9f});
    const Colour colour = mix(drawn, mix(low, high, 0.5f), 0.45f);
    const Coverage cover = rasterise(outline, pose, width, height, 0);
    for (int64_t y = cover.y; y < cover.y + cover.height; ++y) {
      for (int64_t x = cover.x; x < cover.x + cover.width; ++x) {
        Colour& pixel = ground[y * width + x];
        pixel = mix(pixel, colour, 0.8f * cover.at(x, y));
      }
    }
  }
  return ground;
}

}  // namespace tailseg::synthetic
