// Greedy non-maximum suppression: from the best box down, a box survives unless a better survivor overlaps it by more
// than the threshold (strictly; areas without +1, METHODS 5.5). Exact, and for many segments (pyramid levels x images)
// in one call. A float32 overlap is held against the threshold as it was written, in float64, like torchvision on the
// CPU: an overlap of 0.3, which float32 rounds up, exceeds 0.3; mmcv rounds the threshold too and calls that a tie.
//
// On a GPU all overlaps become bits first (one word for 64 boxes) and one warp for each segment walks the words. On the
// CPU the walk computes the bits itself, and only for survivors. Both run the same body (nms_body.h).
#pragma once

#include "tensor/tensor.h"

namespace tailseg {

struct NmsInput {
  Tensor boxes;                    // [S, K, 4], each segment best first
  const Tensor* labels = nullptr;  // [S, K] int32: a box suppresses only boxes of its own label; null: one class
  const Tensor* valid = nullptr;   // [S, K] uint8: 0 neither survives nor suppresses; null: all are valid
  const Tensor* count = nullptr;   // [S] int32: boxes from here on do not exist; null: all do
  const Tensor* limit = nullptr;   // [S] int32: stop after so many survivors; null: `most`
};

struct NmsResult {
  Tensor survivors;  // [S, most] int32: positions in [0, K) in order, -1 behind the last
  Tensor count;      // [S] int32
  Tensor keep;       // [S, K] uint8: did the box survive
};

// The first `most` survivors of each segment. Boxes with NaN overlap nothing; exclude them by `valid`.
NmsResult nms_sorted(Context& ctx, const NmsInput& input, double threshold, int64_t most);

}  // namespace tailseg
