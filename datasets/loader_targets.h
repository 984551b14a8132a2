// What one photo teaches: boxes, labels and masks in the frame of the network's input.
//
// Boxes and polygons are scaled by the ratio of the actual sizes, one factor an axis. A mask is either its polygons
// (exact, cropped and rasterised later at the resolution of the mask head) or a bitmap (rasterised in the photo's frame
// by the COCO rule, then resized by nearest neighbour, as mmdetection and torchvision do).
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "datasets/annotations.h"
#include "datasets/image_transform.h"

namespace tailseg {

enum class MaskForm { kPolygons, kBitmaps };

// The part of a mask inside its bounding box; zero elsewhere. x, y is the box's upper left pixel.
struct MaskBitmap {
  int32_t x = 0, y = 0, width = 0, height = 0;
  std::vector<uint8_t> pixels;  // [height, width], 0 or 1
  bool operator==(const MaskBitmap&) const = default;
};

struct Targets {
  std::vector<std::array<float, 4>> boxes;  // [T] x0, y0, x1, y1 in input pixels
  std::vector<int32_t> labels;              // [T] 0 .. classes - 1
  std::vector<int64_t> annotation_ids;      // [T] as in the file
  std::vector<int64_t> polygon_begin{0};  // [T + 1] target t owns polygons polygon_begin[t] .. polygon_begin[t + 1] - 1
  Lists<float> polygons;                  // x0, y0, x1, y1, ... in input pixels
  std::vector<MaskBitmap> bitmaps;        // [T] used where a target owns no polygon

  int64_t size() const { return static_cast<int64_t>(labels.size()); }
  bool has_polygons(int64_t t) const { return polygon_begin[t + 1] > polygon_begin[t]; }
};

// The targets of image number `image` of `set` under `placement`. Annotations without a mask are left out. Further,
// config.target_rule: kMmdetection drops what is_training_target() refuses, crowds among it (a crowd is
// background: mmdetection's ignore_iof_thr is -1); kDetectron2 drops crowds and boxes or bitmaps that are empty after
// scaling; kTorchvision drops crowds and boxes that are empty after clipping to the photo. config.box_rule:
// kMmdetection scales in float32, clips, then flips; kDetectron2 scales and flips in float64, then clips; kTorchvision
// clips in the photo, flips, scales in float32. Annotations whose mask is an RLE become bitmaps under either form.
Targets make_targets(const AnnotationSet& set, int32_t image, const Placement& placement, const InputConfig& config,
                     MaskForm form);

}  // namespace tailseg
