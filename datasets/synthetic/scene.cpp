#include "datasets/synthetic/scene.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "datasets/synthetic/ground.h"

namespace tailseg::synthetic {
namespace {

constexpr double kDegree = std::numbers::pi / 180;
constexpr int kTries = 40;

// One object's colours and pattern.
struct Surface {
  Colour first, second;
  Texture texture = Texture::kPlain;
  double phase = 0;
};

Surface draw_surface(const ClassLook& look, RandomStream& random) {
  Surface surface;
  const double spread = look.hue_spread * random.normal();
  const double hue = look.hue_spread >= 0.5 ? random.uniform() : look.hue + spread;
  surface.first = draw_colour(random, hue, {0.6f, 0.95f}, {0.7f, 1.0f});
  const Colour seconds[3] = {draw_colour(random, hue, {0.0f, 0.15f}, {0.9f, 1.0f}),
                             draw_colour(random, hue + 0.05, {0.5f, 0.9f}, {0.12f, 0.3f}),
                             draw_colour(random, hue + 0.5, {0.5f, 0.8f}, {0.75f, 1.0f})};
  surface.second = seconds[look.second];
  surface.texture = look.any_texture ? static_cast<Texture>(random.below(kTextureCount)) : look.texture;
  surface.phase = random.uniform();
  return surface;
}

// How deep each pixel lies within the covered part, in pixels, up to `deepest`: a two-pass chamfer distance (steps of 1
// and sqrt 2). The slope of this hill near the border is the bevel that light falls on.
class Depth {
 public:
  Depth(const Coverage& cover, float deepest)
      : width_(cover.width), height_(cover.height), values_(cover.inside.size()) {
    constexpr float kDiagonal = 1.41421356f;
    for (int64_t y = 0; y < height_; ++y) {
      for (int64_t x = 0; x < width_; ++x) {
        const float near = std::min(at(x - 1, y), at(x, y - 1)) + 1;
        const float across = std::min(at(x - 1, y - 1), at(x + 1, y - 1)) + kDiagonal;
        values_[y * width_ + x] = std::min({deepest, near, across}) * cover.inside[y * width_ + x];
      }
    }
    for (int64_t y = height_ - 1; y >= 0; --y) {
      for (int64_t x = width_ - 1; x >= 0; --x) {
        const float near = std::min(at(x + 1, y), at(x, y + 1)) + 1;
        const float across = std::min(at(x + 1, y + 1), at(x - 1, y + 1)) + kDiagonal;
        values_[y * width_ + x] = std::min({values_[y * width_ + x], near, across});
      }
    }
  }

  Point slope(int64_t x, int64_t y) const {  // Sobel's, per pixel; points inwards, away from the border
    const auto column = [&](int64_t c) { return at(c, y - 1) + 2 * at(c, y) + at(c, y + 1); };
    const auto row = [&](int64_t r) { return at(x - 1, r) + 2 * at(x, r) + at(x + 1, r); };
    return {(column(x + 1) - column(x - 1)) / 8.0, (row(y + 1) - row(y - 1)) / 8.0};
  }

 private:
  float at(int64_t x, int64_t y) const {
    return x < 0 || y < 0 || x >= width_ || y >= height_ ? 0.0f : values_[y * width_ + x];
  }
  int64_t width_, height_;
  std::vector<float> values_;
};

class Painter {
 public:
  Painter(const SceneConfig& config, RandomStream& random)
      : config_(config),
        light_(draw_light(random)),
        canvas_(paint_ground(config.width, config.height, random)),
        owner_(canvas_.size(), -1) {}

  // Draws places until one will do; false when none did.
  bool add(const ClassLook& look, RandomStream& random);
  Image finish(RandomStream& random) const;
  std::vector<int32_t> take_owner() { return std::move(owner_); }

 private:
  bool fits(const Coverage& cover, double whole_area) const;
  void paint_shadow(const Coverage& cover, double size);
  void paint_object(const Coverage& cover, const Pose& pose, const Surface& surface);

  const SceneConfig& config_;
  Light light_;
  std::vector<Colour> canvas_;      // [height, width] before light
  std::vector<int32_t> owner_;      // [height, width]
  std::vector<int64_t> seen_;       // [objects] pixels that are seen of each
  std::vector<double> whole_area_;  // [objects] what would be seen of it alone and uncut
};

// Whether the new object, and every one before it, would show enough of itself.
bool Painter::fits(const Coverage& cover, double whole_area) const {
  std::vector<int64_t> lost(seen_.size(), 0);
  int64_t pixels = 0;
  for (int64_t y = cover.y; y < cover.y + cover.height; ++y) {
    for (int64_t x = cover.x; x < cover.x + cover.width; ++x) {
      if (cover.at(x, y) <= 0.5f) continue;
      ++pixels;
      const int32_t before = owner_[y * config_.width + x];
      if (before >= 0) ++lost[before];
    }
  }
  if (pixels < config_.least_pixels || static_cast<double>(pixels) < config_.least_visible * whole_area) return false;
  for (size_t i = 0; i < lost.size(); ++i) {
    const int64_t left = seen_[i] - lost[i];
    if (lost[i] == 0) continue;
    if (left < config_.least_pixels || static_cast<double>(left) < config_.least_visible * whole_area_[i]) return false;
  }
  return true;
}

void Painter::paint_shadow(const Coverage& cover, double size) {
  const auto reach = static_cast<int64_t>(std::max(1.0, size * 0.05));  // blur radius
  const auto shift_x = static_cast<int64_t>(std::lround(-light_.x * size * 0.06));
  const auto shift_y = static_cast<int64_t>(std::lround(-light_.y * size * 0.06));
  const auto count = static_cast<float>((2 * reach + 1) * (2 * reach + 1));
  for (int64_t y = cover.y; y < cover.y + cover.height; ++y) {
    for (int64_t x = cover.x; x < cover.x + cover.width; ++x) {
      float sum = 0;
      for (int64_t dy = -reach; dy <= reach; ++dy) {
        for (int64_t dx = -reach; dx <= reach; ++dx) sum += cover.at(x - shift_x + dx, y - shift_y + dy);
      }
      Colour& pixel = canvas_[y * config_.width + x];
      pixel = mix(pixel, {0, 0, 0}, 0.42f * sum / count);
    }
  }
}

void Painter::paint_object(const Coverage& cover, const Pose& pose, const Surface& surface) {
  const auto deepest = static_cast<float>(std::max(2.0, pose.scale * 0.16));
  const Depth depth(cover, deepest);
  for (int64_t row = 0; row < cover.height; ++row) {
    for (int64_t column = 0; column < cover.width; ++column) {
      const float inside = cover.inside[row * cover.width + column];
      if (inside <= 0) continue;
      const int64_t x = cover.x + column, y = cover.y + row;
      const Point p = pose.to_outline({static_cast<double>(x) + 0.5, static_cast<double>(y) + 0.5});
      Colour colour =
          mix(surface.first, surface.second, texture_share(surface.texture, p.x, p.y, surface.phase, 1 / pose.scale));
      const Point slope = depth.slope(column, row);
      const auto facing = static_cast<float>(-(slope.x * light_.x + slope.y * light_.y));
      const float shade = 1.0f + 0.24f * facing;
      colour = {colour.r * shade, colour.g * shade, colour.b * shade};
      Colour& pixel = canvas_[y * config_.width + x];
      pixel = mix(pixel, colour, inside);
    }
  }
}

bool Painter::add(const ClassLook& look, RandomStream& random) {
  const double side = static_cast<double>(std::min(config_.width, config_.height));
  const double low = std::log(config_.smallest), high = std::log(config_.largest);
  const Surface surface = draw_surface(look, random);
  double diameter = side * std::exp(low + (high - low) * random.uniform());
  for (int tried = 0; tried < kTries; ++tried) {
    Pose pose;
    pose.scale = diameter / 2;
    pose.angle = config_.most_turn * kDegree * random.uniform(-1.0f, 1.0f);
    pose.stretch = random.uniform(0.88f, 1.14f);
    const double room_x = std::max(0.0, static_cast<double>(config_.width) - 1.5 * pose.scale);
    const double room_y = std::max(0.0, static_cast<double>(config_.height) - 1.5 * pose.scale);
    pose.centre = {0.75 * pose.scale + room_x * random.uniform(), 0.75 * pose.scale + room_y * random.uniform()};
    const Coverage cover =
        rasterise(*look.outline, pose, config_.width, config_.height, static_cast<int64_t>(2 + diameter * 0.12));
    const double whole_area = outline_area(*look.outline) * pose.scale * pose.scale;
    if (!fits(cover, whole_area)) {
      diameter = std::max(diameter * 0.98, side * config_.smallest);
      continue;
    }
    paint_shadow(cover, diameter);
    paint_object(cover, pose, surface);
    const auto self = static_cast<int32_t>(seen_.size());
    seen_.push_back(0);
    whole_area_.push_back(whole_area);
    for (int64_t y = cover.y; y < cover.y + cover.height; ++y) {
      for (int64_t x = cover.x; x < cover.x + cover.width; ++x) {
        if (cover.at(x, y) <= 0.5f) continue;
        int32_t& owner = owner_[y * config_.width + x];
        if (owner >= 0) --seen_[owner];
        owner = self;
        ++seen_[self];
      }
    }
    return true;
  }
  return false;
}

Image Painter::finish(RandomStream& random) const {
  Image image(config_.width, config_.height);
  const float noise = random.uniform(0.0f, 5.0f);  // grey levels of sensor noise
  for (int64_t y = 0; y < config_.height; ++y) {
    for (int64_t x = 0; x < config_.width; ++x) {
      const Colour& colour = canvas_[y * config_.width + x];
      const float strength = 255 * light_at(light_, x, y, config_.width, config_.height);
      float grain = -1.5f;
      for (int i = 0; i < 3; ++i) grain += random.uniform();
      grain *= noise;
      const float channels[3] = {colour.r * light_.tint.r, colour.g * light_.tint.g, colour.b * light_.tint.b};
      for (int c = 0; c < 3; ++c) {
        image.row(y)[x * 3 + c] = static_cast<uint8_t>(std::clamp(channels[c] * strength + grain, 0.0f, 255.0f) + 0.5f);
      }
    }
  }
  return image;
}

}  // namespace

Scene paint_scene(const std::vector<ClassLook>& looks, const std::vector<int32_t>& classes, const SceneConfig& config,
                  RandomStream random) {
  Painter painter(config, random);
  Scene scene;
  for (const int32_t c : classes) {
    if (painter.add(looks[c], random)) scene.classes.push_back(c);
  }
  scene.image = painter.finish(random);
  scene.owner = painter.take_owner();
  return scene;
}

}  // namespace tailseg::synthetic
