#include "detection/box_set.h"

#include <algorithm>

#include "detection/box_set_body.h"
#include "tensor/launch.h"

namespace tailseg {

void check_box_set(const char* what, const BoxSet& set) {
  check_shape(what, set.boxes, {-1, -1, 4});
  const int64_t images = set.images(), capacity = set.capacity();
  TS_CHECK(set.boxes.dtype() == DType::float32 || set.boxes.dtype() == DType::float64, what,
           ": boxes are float32 (or float64 on the CPU), got ", name_of(set.boxes.dtype()));
  check_shape(what, set.count, {images});
  TS_CHECK(set.count.dtype() == DType::int32, what, ": counts are int32, got ", name_of(set.count.dtype()));
  if (set.scores.defined()) {
    check_shape(what, set.scores, {images, capacity});
    TS_CHECK(set.scores.dtype() == set.boxes.dtype(), what, ": scores are ", name_of(set.boxes.dtype()),
             " as the boxes, got ", name_of(set.scores.dtype()));
  }
  if (set.labels.defined()) {
    check_shape(what, set.labels, {images, capacity});
    TS_CHECK(set.labels.dtype() == DType::int32, what, ": labels are int32, got ", name_of(set.labels.dtype()));
  }
}

Tensor take_rows(Context& ctx, const Tensor& x, int64_t rows) {
  TS_CHECK(x.axes() >= 2 && rows >= 0 && rows <= x.size(1), "take_rows: ", rows, " rows of ", x.shape());
  if (rows == x.size(1)) return x;
  const int64_t images = x.size(0);
  const Shape part = x.shape().with(1, rows);
  if (images == 1) {
    std::vector<int64_t> flat = x.shape().vector();
    flat.erase(flat.begin());
    return x.reshape(Shape(flat)).slice(0, rows).reshape(part);
  }
  Tensor out = Tensor::empty(ctx, part, x.dtype());
  for (int64_t n = 0; n < images; ++n) {
    const Tensor from = take_rows(ctx, x.slice(n, n + 1), rows);
    out.slice(n, n + 1).copy_from(ctx, from);
  }
  return out;
}

Tensor row_images(Context& ctx, const Tensor& count, int64_t capacity) {
  check_shape("row_images: count", count, {-1});
  Tensor image = Tensor::empty(ctx, {count.size(0) * capacity}, DType::int32);
  for_each_item(ctx, image.elements(), RowImages{count.data<int32_t>(), image.data<int32_t>(), capacity});
  return image;
}

int64_t largest_count(Context& ctx, const Tensor& count) {
  const std::vector<int32_t> counts = count.to_vector<int32_t>(ctx);
  return counts.empty() ? 0 : *std::max_element(counts.begin(), counts.end());
}

BoxSet trimmed(Context& ctx, const BoxSet& set) {
  if (ctx.fixed_sizes()) return set;
  const int64_t rows = std::min(set.capacity(), std::max<int64_t>(largest_count(ctx, set.count), 1));
  BoxSet out = set;
  out.boxes = take_rows(ctx, set.boxes, rows);
  if (set.scores.defined()) out.scores = take_rows(ctx, set.scores, rows);
  if (set.labels.defined()) out.labels = take_rows(ctx, set.labels, rows);
  return out;
}

}  // namespace tailseg
