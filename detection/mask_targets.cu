#include "detection/mask_targets.h"

#include "detection/mask_targets_body.h"
#include "tensor/launch.h"

namespace tailseg {

Tensor mask_targets(Context& ctx, const InstanceMasks& masks, const MaskTargetInput& input,
                    const MaskTargetOptions& options) {
  check_shape("mask_targets: rois", input.rois, {-1, 4});
  const int64_t rois = input.rois.size(0), size = options.size;
  check_shape("mask_targets: image", input.image, {rois});
  check_shape("mask_targets: truth", input.truth, {rois});
  const Tensor out = Tensor::empty(ctx, {rois, size, size});
  if (options.rule == MaskTargetRule::polygon || options.rule == MaskTargetRule::polygon_centres) {
    TS_CHECK(masks.points.defined(), "mask_targets: the polygon rule needs polygons, the batch has none");
    TS_CHECK(size <= PolygonTarget::kMaxSize, "mask_targets: size ", size, " exceeds ",
             int64_t{PolygonTarget::kMaxSize});
    for_each_item(ctx, rois * size,
                  PolygonTarget{masks.points.data<float>(), masks.polygon_begin.data<int32_t>(),
                                masks.instance_begin.data<int32_t>(), input.rois.data<float>(),
                                input.image.data<int32_t>(), input.truth.data<int32_t>(), out.data<float>(), size,
                                input.capacity, options.smallest_roi, options.rule == MaskTargetRule::polygon});
    return out;
  }
  TS_CHECK(masks.pixels.defined(), "mask_targets: the bitmap rules need bitmaps, the batch has none");
  check_shape("mask_targets: frame", input.frame, {-1, 2});
  for_each_item(ctx, rois * size,
                BitmapTarget{masks.pixels.data<uint8_t>(), masks.crops.data<int32_t>(), masks.offsets.data<int64_t>(),
                             input.rois.data<float>(), input.image.data<int32_t>(), input.truth.data<int32_t>(),
                             input.frame.data<int32_t>(), out.data<float>(), size, input.capacity,
                             options.rule == MaskTargetRule::bitmap_aligned});
  return out;
}

}  // namespace tailseg
