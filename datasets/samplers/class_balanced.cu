#include "datasets/samplers/class_balanced.h"

#include <algorithm>

#include "datasets/samplers/class_balanced_body.h"
#include "tensor/launch.h"
#include "tensor/sort.h"

namespace tailseg {

ClassDraws class_balanced_draws(Context& ctx, const ClassIndex& index, const Tensor& classes, int64_t per_class,
                                int64_t first, int64_t count, uint64_t seed) {
  check_shape("class-balanced sampling: classes", classes, {-1});
  const int64_t present = classes.elements();
  TS_CHECK(present >= 1, "class-balanced sampling: no class has a photo");
  TS_CHECK(per_class >= 1 && first >= 0 && count >= 0, "class-balanced sampling: ", count, " draws from ", first, ", ",
           per_class, " for each class");
  const int64_t first_cycle = first / per_class / present;
  const int64_t last_cycle = std::max(first, first + count - 1) / per_class / present;
  const Tensor order = Tensor::empty(ctx, {last_cycle - first_cycle + 1, present}, DType::int32);
  for_each_item(ctx, order.size(0),
                ClassCycle{order.data<int32_t>(), present, first_cycle, {seed, random_purpose("class cycle")}});
  const ClassPasses passes{classes.data<int32_t>(), index.begin.data<int32_t>(), first_cycle * per_class,
                           (last_cycle + 1) * per_class - 1};
  const Tensor length = Tensor::empty(ctx, {present}, DType::int64);
  for_each_item(ctx, present, PassLength{passes, length.data<int64_t>()});
  const Tensor offset = exclusive_scan(ctx, length);
  const int64_t total = offset.slice(present, present + 1).to_vector<int64_t>(ctx)[0];
  const Tensor shuffled = Tensor::empty(ctx, {total}, DType::int32);
  for_each_item(ctx, present,
                PassPhotos{passes,
                           index.photos.data<int32_t>(),
                           offset.data<int64_t>(),
                           shuffled.data<int32_t>(),
                           {seed, random_purpose("class photos")},
                           total});
  const ClassDraws draws{Tensor::empty(ctx, {count}, DType::int32), Tensor::empty(ctx, {count}, DType::int32)};
  for_each_item(
      ctx, count,
      BalancedDraw{passes, order.data<int32_t>(), shuffled.data<int32_t>(), offset.data<int64_t>(),
                   draws.photos.data<int32_t>(), draws.labels.data<int32_t>(), present, per_class, first, first_cycle});
  return draws;
}

}  // namespace tailseg
