// LOCE's memory-augmented feature sampling (Feng et al., ICCV 2021, section 3.3; METHODS 1.14): a store of RoI features
// of every class, from which each step takes more of the classes that score low, so that the tail is seen more often.
//
//   jittered_boxes: sixteen boxes around each object, whose pooled features are worth keeping
//   push:           each class keeps the newest `depth` features, with the offsets that their boxes should have got
//   draw:           `classes_a_step` classes with probability proportional to 1 / (s_j + 1e-7), s the running scores of
//                   the loss "equilibrium" before this step; for each, `features_a_class` of its features; with
//                   repetition
//
// A class without features is not drawn. Everything is in the checkpoint: features [C, depth, E], deltas [C, depth, 4],
// next [C] (where the next feature goes), filled [C]. With LVIS and 256 x 7 x 7 features that is 4.8 GB.
#pragma once

#include "detection/box_set.h"
#include "nn/parameter.h"

namespace tailseg {

struct FeatureMemoryOptions {
  int64_t classes = 80;
  int64_t elements = 7 * 7 * 256;  // of one feature
  int64_t depth = 80;
  int64_t classes_a_step = 8, features_a_class = 4;

  int64_t rows() const { return classes_a_step * features_a_class; }
};

struct MemoryRows {
  Tensor features;  // [K, E], K = rows(); 0 where there is nothing
  Tensor labels;    // [K] int32, -1 where there is nothing
  Tensor deltas;    // [K, 4]
};

class FeatureMemory {
 public:
  // Registers its state in `scope`.
  FeatureMemory(const Scope& scope, const FeatureMemoryOptions& options);

  // features [R, E] (float32, bfloat16, float64), labels [R] int32 (rows outside 0..C-1 are left out), deltas [R, 4]
  // float32 (float64). Of more than `depth` rows of a class the last ones stay; row order is age.
  void push(Context& ctx, const Tensor& features, const Tensor& labels, const Tensor& deltas) const;
  // scores [C] or [C + 1], the running mean of each class; draws [draws()] in [0, 1).
  MemoryRows draw(Context& ctx, const Tensor& scores, const Tensor& draws) const;
  int64_t draws() const { return options_.classes_a_step * (1 + options_.features_a_class); }
  const FeatureMemoryOptions& options() const { return options_; }

 private:
  FeatureMemoryOptions options_;
  Tensor features_, deltas_, next_, filled_;
};

constexpr int64_t kJitters = 16;

struct JitteredBoxes {
  Tensor boxes;    // [N * G * 16, 4]; 0 where the object is unused
  Tensor objects;  // [N * G * 16, 4] the object's own box
  Tensor labels;   // [N * G * 16] int32, -1 unused
  Tensor image;    // [N * G * 16] int32, -1 unused
};

// Box k of an object moves corner i by +-u_ik / 6 of the object's width (x) or height (y), the sign being bit i of k:
// all sixteen patterns. draws [N, 64]: u_ik of image n at 16 i + k, shared by the image's objects. Clipped to the
// image's size [N, 2] (height, width) less one pixel.
JitteredBoxes jittered_boxes(Context& ctx, const BoxSet& truth, const Tensor& sizes, const Tensor& draws);

}  // namespace tailseg
