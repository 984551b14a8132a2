// RoIAlign over all levels of a feature pyramid as one op (He et al. 2017; variants in METHODS 2.7):
//
//   preset        aligned   sampling_ratio
//   mmdet, d2     true      0 (adaptive)
//   torchvision   false     2
//
// The gradient is gathered, not scattered: no atomics, no zero fill, the same bits at any number of threads.
#pragma once

#include "autograd/variable.h"

namespace tailseg {

struct RoiSet {
  Tensor boxes;        // [R, 4] float32: x1, y1, x2, y2 in pixels of the network's input; no gradient flows into it
  Tensor image_index;  // [R] int32: which image of the batch, -1: unused row
  Tensor level;        // [R] int32: which entry of `levels`
};

struct RoiAlignOptions {
  int64_t output_size = 7;     // P
  int64_t sampling_ratio = 0;  // samples per bin and axis; 0: as many as the bin has pixels, rounded up
  bool aligned = true;         // false: no half-pixel shift, boxes count as at least one feature pixel wide
};

// levels[l] [N, H_l, W_l, C] (float32, bfloat16 or float64, all alike), scales[l] its size over the input's (1/4, 1/8
// ..)
// -> [R, P, P, C]. Unused rows, rows whose level or image is not there, boxes with NaN or infinity or a corner more
// than 2^22 cells of their feature away, and bins that lie outside the feature give zeros. Reads nothing back from the
// device.
Variable roi_align(Context& ctx, const std::vector<Variable>& levels, const std::vector<double>& scales,
                   const RoiSet& rois, const RoiAlignOptions& options);

}  // namespace tailseg
