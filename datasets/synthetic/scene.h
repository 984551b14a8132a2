// One synthetic picture: a cluttered, unevenly lit ground with objects on it, later ones in front of earlier ones, and
// for each object the pixels that can be seen of it.
#pragma once

#include <cstdint>
#include <vector>

#include "datasets/image.h"
#include "datasets/synthetic/raster.h"
#include "datasets/synthetic/texture.h"
#include "tensor/philox.h"

namespace tailseg::synthetic {

// What the objects of one class have in common. Position, size, angle, light and the exact colours vary.
struct ClassLook {
  const Outline* outline = nullptr;
  Texture texture = Texture::kPlain;
  bool any_texture = false;  // each object draws its own (glyphs)
  double hue = 0;            // of the first colour, in turns
  double hue_spread = 0.05;  // standard deviation; from 0.5 on, any colour
  int second = 0;            // second colour: 0 light, 1 dark, 2 the opposite hue
};

struct SceneConfig {
  int64_t width = 128, height = 128;
  double smallest = 0.17, largest = 0.52;  // an object's diameter, as a share of the picture's shorter side
  double most_turn = 40;                   // degrees, to either side
  double least_visible = 0.6;              // of every object: what others and the border may not take away
  int64_t least_pixels = 24;
};

struct Scene {
  Image image;
  std::vector<int32_t> owner;    // [height, width] which object is seen, -1 for the ground
  std::vector<int32_t> classes;  // [objects] index into the looks
};

// Paints objects of the given classes, in that order. An object that finds no place where it and all before it stay
// visible enough, in 40 tries of shrinking size, is left out. All draws come from `random`.
Scene paint_scene(const std::vector<ClassLook>& looks, const std::vector<int32_t>& classes, const SceneConfig& config,
                  RandomStream random);

}  // namespace tailseg::synthetic
