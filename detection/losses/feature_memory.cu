#include "detection/losses/feature_memory.h"

#include "detection/losses/feature_memory_body.h"
#include "detection/roi_rows.h"
#include "tensor/launch.h"

namespace tailseg {

FeatureMemory::FeatureMemory(const Scope& scope, const FeatureMemoryOptions& options) : options_(options) {
  const FeatureMemoryOptions& o = options_;
  TS_CHECK(o.classes > 0 && o.elements > 0 && o.depth > 0 && o.classes_a_step > 0 && o.features_a_class > 0,
           "feature memory of ", o.classes, " classes, ", o.elements, " elements, depth ", o.depth, ", drawing ",
           o.classes_a_step, " x ", o.features_a_class, "; expected at least 1 of each");
  TS_CHECK(o.classes * o.depth < (int64_t{1} << 31), "feature memory: ", o.classes, " classes of depth ", o.depth,
           " are too many rows");
  features_ = scope.store().add_buffer(scope.full("features"), {o.classes, o.depth, o.elements}, 0);
  deltas_ = scope.store().add_buffer(scope.full("deltas"), {o.classes, o.depth, 4}, 0);
  next_ = scope.store().add_buffer(scope.full("next"), {o.classes}, 0);
  filled_ = scope.store().add_buffer(scope.full("filled"), {o.classes}, 0);
}

void FeatureMemory::push(Context& ctx, const Tensor& features, const Tensor& labels, const Tensor& deltas) const {
  const int64_t rows = labels.elements();
  TS_CHECK(features.size(0) == rows && features.elements() == rows * options_.elements, "feature memory: features ",
           features.shape(), " for ", rows, " labels; expected ", options_.elements, " elements a row");
  check_shape("feature memory: deltas", deltas, {rows, 4});
  dispatch_floating(features.dtype(), "feature memory", [&]<class Scalar>(Scalar) {
    using Real = ComputeType<Scalar>;
    for_each_item(ctx, rows,
                  PushFeature<Scalar>{features.data<Scalar>(), labels.data<int32_t>(), deltas.data<Real>(),
                                      next_.data<Real>(), features_.data<Real>(), deltas_.data<Real>(), rows,
                                      options_.classes, options_.elements, options_.depth});
    for_each_item(
        ctx, options_.classes,
        AdvanceMemory<Real>{labels.data<int32_t>(), next_.data<Real>(), filled_.data<Real>(), rows, options_.depth});
  });
}

MemoryRows FeatureMemory::draw(Context& ctx, const Tensor& scores, const Tensor& draws) const {
  const FeatureMemoryOptions& o = options_;
  TS_CHECK(scores.axes() == 1 && scores.size(0) >= o.classes, "feature memory: scores ", scores.shape(), " of ",
           o.classes, " classes");
  check_shape("feature memory: draws", draws, {this->draws()});
  const Tensor slots = Tensor::empty(ctx, {o.rows()}, DType::int32),
               labels = Tensor::empty(ctx, {o.rows()}, DType::int32);
  dispatch_full(scores.dtype(), "feature memory", [&]<class Real>(Real) {
    for_each_item(
        ctx, o.classes_a_step,
        DrawMemory<Real>{scores.data<Real>(), filled_.data<Real>(), draws.data<float>(), slots.data<int32_t>(),
                         labels.data<int32_t>(), o.classes, o.depth, o.classes_a_step, o.features_a_class});
  });
  return {gather_rows(ctx, features_.reshape({o.classes * o.depth, o.elements}), slots), labels,
          gather_rows(ctx, deltas_.reshape({o.classes * o.depth, 4}), slots)};
}

JitteredBoxes jittered_boxes(Context& ctx, const BoxSet& truth, const Tensor& sizes, const Tensor& draws) {
  check_box_set("jittered_boxes", truth);
  const int64_t images = truth.images(), rows = images * truth.capacity() * kJitters;
  check_shape("jittered_boxes: labels", truth.labels, {images, truth.capacity()});
  check_shape("jittered_boxes: sizes", sizes, {images, 2});
  check_shape("jittered_boxes: draws", draws, {images, 4 * kJitters});
  const DType dtype = truth.boxes.dtype();
  const JitteredBoxes out{Tensor::empty(ctx, {rows, 4}, dtype), Tensor::empty(ctx, {rows, 4}, dtype),
                          Tensor::empty(ctx, {rows}, DType::int32), Tensor::empty(ctx, {rows}, DType::int32)};
  dispatch_full(dtype, "jittered_boxes", [&]<class Real>(Real) {
    for_each_item(
        ctx, rows,
        JitterBox<Real>{truth.boxes.data<Real>(), truth.labels.data<int32_t>(), truth.count.data<int32_t>(),
                        sizes.data<int32_t>(), draws.data<float>(), out.boxes.data<Real>(), out.objects.data<Real>(),
                        out.labels.data<int32_t>(), out.image.data<int32_t>(), truth.capacity()});
  });
  return out;
}

}  // namespace tailseg
