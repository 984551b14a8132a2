// Boxes of N images in one block of fixed capacity P, with the number that is valid in each image on the device: ground
// truth, proposals and detections alike (DESIGN 5). Rows from count on are unused: label -1, score 0, box (0, 0, 0, 0).
#pragma once

#include "tensor/tensor.h"

namespace tailseg {

struct BoxSet {
  Tensor boxes;   // [N, P, 4] float32 (float64 in tests), x1 y1 x2 y2 in pixels of the network's input
  Tensor scores;  // [N, P], or undefined
  Tensor labels;  // [N, P] int32 class, -1 where unused; or undefined
  Tensor count;   // [N] int32

  int64_t images() const { return boxes.size(0); }
  int64_t capacity() const { return boxes.size(1); }
};

// Throws Error unless the shapes and dtypes are those above; `what` names the set in the message.
void check_box_set(const char* what, const BoxSet& set);

// The first `rows` rows of each image of x [N, P, ...] -> [N, rows, ...]. Shares memory when N is 1.
Tensor take_rows(Context& ctx, const Tensor& x, int64_t rows);

// For each row of the capacity, flattened [N * P] int32: its image, -1 where the row is unused.
Tensor row_images(Context& ctx, const Tensor& count, int64_t capacity);

// The largest count of any image. Waits for the device: for the CPU and for code outside a training step.
int64_t largest_count(Context& ctx, const Tensor& count);

// The same set with its capacity cut down to the largest count (at least 1), so that heavy heads see no unused rows.
// At fixed sizes (always on a GPU, where reading a count would stall the step) it is the set as it is.
BoxSet trimmed(Context& ctx, const BoxSet& set);

}  // namespace tailseg
