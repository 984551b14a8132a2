#include "datasets/samplers/class_index.h"

#include "datasets/samplers/class_index_body.h"
#include "tensor/launch.h"
#include "tensor/sort.h"

namespace tailseg {

ClassIndex class_index(Context& ctx, const Tensor& photo, const Tensor& label, int64_t classes) {
  check_shape("class index: labels", label, {-1});
  const int64_t count = label.elements();
  check_shape("class index: photos", photo, {count});
  TS_CHECK(classes >= 0 && classes <= int64_t{1} << 24, "class index: ", classes, " classes, expected at most 2^24");
  const Tensor keys = Tensor::empty(ctx, {1, count});
  for_each_item(ctx, count, ClassKeys{label.data<int32_t>(), keys.data<float>()});
  const RankedRows ranked = sort_rows_descending(ctx, keys);
  const int32_t* sorted = ranked.indices.data<int32_t>();
  const Tensor first = Tensor::empty(ctx, {count}, DType::int32);
  for_each_item(ctx, count, PairFlags{sorted, label.data<int32_t>(), photo.data<int32_t>(), first.data<int32_t>()});
  const Tensor place = exclusive_scan(ctx, first);
  ClassIndex index{Tensor::empty(ctx, {count}, DType::int32), Tensor::empty(ctx, {classes + 1}, DType::int32),
                   Tensor::empty(ctx, {classes}, DType::int32)};
  for_each_item(ctx, count,
                PairPhotos{sorted, photo.data<int32_t>(), place.data<int32_t>(), index.photos.data<int32_t>()});
  for_each_item(ctx, classes + 1,
                ClassBounds{sorted, label.data<int32_t>(), place.data<int32_t>(), index.begin.data<int32_t>(),
                            index.objects.data<int32_t>(), count, classes});
  return index;
}

}  // namespace tailseg
