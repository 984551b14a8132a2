// Rows of RoIs between the stages of the heads. At fixed sizes (Context::fixed_sizes: a GPU) a set keeps its capacity
// and unused rows carry -1; else they are dropped before the heavy heads (DESIGN 5).
#pragma once

#include "tensor/tensor.h"

namespace tailseg {

// x [R, ...], index [K] int32 -> [K, ...]; index -1 gives zeros (-1 in an int32 tensor).
Tensor gather_rows(Context& ctx, const Tensor& x, const Tensor& index);

Tensor flat_rows(const Tensor& x);  // [N, S, ...] -> [N * S, ...], a view

// [N * S] int32: the image of each row of a set [N, S], -1 for unused rows.
Tensor image_by_label(Context& ctx, const Tensor& label);                     // label [N, S], -1 unused
Tensor image_by_count(Context& ctx, const Tensor& count, int64_t per_image);  // count [N]

// [R] int32: a number that rows share when they are matched to the same object; -1 without one. image [R] and matched
// [R] (place within the image, below per_image), both -1 where there is none.
inline constexpr int64_t kObjectsAnImage = 1 << 16;  // at most: `per_image` for ground truth of any batch
Tensor object_of_row(Context& ctx, const Tensor& image, const Tensor& matched, int64_t per_image);

// label [R] with background `classes` -> the same with -1 in its place.
Tensor foreground_labels(Context& ctx, const Tensor& label, int64_t classes);

// Which rows of label [N, S] a head shall see. Exactly those with 0 <= label < below, in order; at fixed sizes the
// first `capacity` rows of each image, whatever they hold.
Tensor rows_for_head(Context& ctx, const Tensor& label, int64_t below, int64_t capacity);

Tensor sigmoid(Context& ctx, const Tensor& logits);  // float32, or float64 for float64 logits

}  // namespace tailseg
