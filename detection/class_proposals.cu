#include "detection/class_proposals.h"

#include "detection/class_proposals_body.h"
#include "tensor/launch.h"
#include "tensor/sort.h"

namespace tailseg {

ClassProposals class_proposals(Context& ctx, const Tensor& label, const Tensor& drawn_for, int64_t background_label,
                               int64_t most_positives, const SamplerDraws& draws) {
  check_shape("class proposals: labels", label, {-1, -1});
  const int64_t photos = label.size(0), per_photo = label.size(1);
  check_shape("class proposals: drawn classes", drawn_for, {photos});
  TS_CHECK(most_positives >= 0 && most_positives <= per_photo, "class proposals: at most ", most_positives,
           " positives among ", per_photo, " rows of a photo");
  if (draws.keys) check_shape("class proposals: keys", *draws.keys, {photos, per_photo});
  if (draws.steps) check_shape("class proposals: steps", *draws.steps, {1});
  const int64_t capacity = 2 * photos * most_positives, quads = (per_photo + 3) / 4;
  const Tensor keys = Tensor::empty(ctx, {2, photos * per_photo});
  for_each_item(ctx, photos * quads,
                ClassProposalKeys{
                    label.data<int32_t>(), drawn_for.data<int32_t>(), draws.keys ? draws.keys->data<float>() : nullptr,
                    draws.steps ? draws.steps->data<int32_t>() : nullptr, keys.data<float>(), photos, per_photo, quads,
                    static_cast<int32_t>(background_label), draws.key, draws.step, draws.first_image});
  const RankedRows best = topk(ctx, keys, capacity);
  const ClassProposals out{Tensor::empty(ctx, {capacity}, DType::int32), Tensor::empty(ctx, {capacity}, DType::int32),
                           Tensor::empty(ctx, {2}, DType::int32)};
  for_each_item(
      ctx, 1,
      PackClassProposals{best.values.data<float>(), best.indices.data<int32_t>(), label.data<int32_t>(),
                         out.rows.data<int32_t>(), out.label.data<int32_t>(), out.count.data<int32_t>(), capacity});
  return out;
}

}  // namespace tailseg
