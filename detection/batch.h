// What goes into a model and what comes out of it.
#pragma once

#include "detection/box_set.h"
#include "detection/instance_masks.h"
#include "detection/postprocess.h"

namespace tailseg {

struct ImageBatch {
  Tensor pixels;        // [N, H, W, 3] normalised, zero beyond each image
  Tensor sizes;         // [N, 2] int32: height, width of each image without padding
  Tensor padded_sizes;  // [N, 2] int32: each image padded on its own, before it was padded to the batch
  Tensor photo_sizes;   // [N, 2] int32: the photo before resizing (prediction only)
};

struct TruthBatch {
  BoxSet boxes;  // [N, G] with labels
  InstanceMasks masks;
};

// What a step of training must know besides its input, so that it can be repeated.
struct StepKey {
  uint64_t seed = 0;
  uint32_t step = 0;
  Tensor steps = {};  // [1] int32 on the device, added to `step`: lets a captured step be replayed (capture.h)

  const Tensor* counter() const { return steps.defined() ? &steps : nullptr; }
};

struct Prediction {
  BatchDetections detections;  // [N, D]
  Tensor masks;                // [N * D, M, M] float32 probabilities of each detection's own class
};

}  // namespace tailseg
