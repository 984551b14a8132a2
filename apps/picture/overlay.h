// Instances drawn onto a photo: masks in distinct colours with outlines, boxes, names and scores. The look is
// detectron2's visualiser's: large instances first, names light on dark above their box, smaller for smaller objects;
// here names also make room for each other, and small pictures are enlarged first so that names can be read.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "datasets/image.h"
#include "datasets/mask/rle.h"

namespace tailseg {

struct PictureInstance {
  std::string name;
  std::optional<double> score;                                      // 0 to 1, shown in percent
  std::optional<std::array<double, 4>> box;                         // x1, y1, x2, y2 in the photo's pixels
  int64_t mask_x = 0, mask_y = 0, mask_width = 0, mask_height = 0;  // the part of the photo that `mask` covers
  std::vector<uint8_t> mask;      // [mask_height, mask_width], not 0: inside; empty: no mask
  std::optional<int64_t> colour;  // index for instance_colour(); none: by the order of drawing

  // The mask of a whole photo, cut to its foreground.
  void set_mask(RleView rle);
};

struct OverlayOptions {
  bool masks = true, boxes = true, names = true;
  double mask_opacity = 0.45;
  int64_t least_side = 480;  // pictures whose longer side is shorter are enlarged by a whole factor to reach it
  int64_t crowd = 12;        // with more instances, twice that side is reached and names are set smaller
};

// The factor by which draw_instances enlarges a photo of this size with so many instances.
int64_t overlay_factor(int64_t width, int64_t height, size_t instances, const OverlayOptions& options);

// Whole-factor enlargement, bilinear.
Image enlarged(const Image& image, int64_t factor);

// Throws Error for a mask that does not lie in the photo or has the wrong number of bytes, and for a non-finite box.
Image draw_instances(const Image& photo, const std::vector<PictureInstance>& instances,
                     const OverlayOptions& options = {});

}  // namespace tailseg
