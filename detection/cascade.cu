#include "detection/cascade.h"

#include "detection/cascade_body.h"
#include "tensor/launch.h"

namespace tailseg {

CascadeOptions CascadeOptions::mmdet() {
  CascadeOptions options;
  options.stages = {{0.5, {10, 10, 5, 5}, 1},
                    {0.6, {20, 20, 10, 10}, 0.5},
                    {0.7, {1 / 0.033, 1 / 0.033, 1 / 0.067, 1 / 0.067}, 0.25}};
  return options;
}

CascadeOptions CascadeOptions::detectron2() {
  CascadeOptions options;
  options.stages = {{0.5, {10, 10, 5, 5}, 1}, {0.6, {20, 20, 10, 10}, 1}, {0.7, {30, 30, 15, 15}, 1}};
  options.resample = options.mask_head_each_stage = options.mean_of_logits = false;
  options.gradient_scale = 1.0 / 3;
  return options;
}

BoxSet refine_rois(Context& ctx, const RefineInput& input, const RefineOptions& options) {
  const RoiTargets& rois = *input.rois;
  check_shape("refine_rois: boxes", rois.boxes, {-1, -1, 4});
  const int64_t images = rois.boxes.size(0), per_image = rois.boxes.size(1);
  check_shape("refine_rois: labels", rois.label, {images, per_image});
  check_shape("refine_rois: rows", input.rows, {-1});
  check_shape("refine_rois: deltas", input.deltas, {input.rows.size(0), 4});
  check_shape("refine_rois: image sizes", input.image_sizes, {images, 2});
  const DType dtype = rois.boxes.dtype();
  TS_CHECK(input.deltas.dtype() == dtype, "refine_rois: deltas of ", name_of(input.deltas.dtype()), ", boxes of ",
           name_of(dtype));
  const bool first = options.drop_truth && input.place == TruthPlace::first;
  const bool last = options.drop_truth && input.place == TruthPlace::last;
  BoxSet out;
  out.boxes = Tensor::zeros(ctx, {images, per_image, 4}, dtype);
  out.count = Tensor::zeros(ctx, {images}, DType::int32);
  const Tensor moved = Tensor::empty(ctx, {images, per_image, 4}, dtype);
  const Tensor kept = Tensor::zeros(ctx, {images, per_image}, DType::int32);
  dispatch_full(dtype, "refine_rois", [&]<class Real>(Real) {
    for_each_item(
        ctx, input.rows.size(0),
        RefineRoi<Real>{input.rows.data<int32_t>(), input.deltas.data<Real>(), rois.boxes.data<Real>(),
                        rois.label.data<int32_t>(), rois.source.data<int32_t>(), input.image_sizes.data<int32_t>(),
                        first ? input.truth->count.data<int32_t>() : nullptr,
                        last ? input.proposals->count.data<int32_t>() : nullptr, moved.data<Real>(),
                        kept.data<int32_t>(), per_image, BoxCoder<Real>::of(options.coder), options.drop_empty});
    for_each_item(ctx, images * per_image,
                  CompactBoxes<Real>{moved.data<Real>(), kept.data<int32_t>(), out.boxes.data<Real>(),
                                     out.count.data<int32_t>(), per_image});
  });
  return out;
}

}  // namespace tailseg
