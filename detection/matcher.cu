#include "detection/matcher.h"

#include "detection/matcher_body.h"
#include "tensor/launch.h"

namespace tailseg {
namespace {

void check_match_input(const MatchInput& input, const MatcherOptions& options) {
  TS_CHECK(input.truth, "match_boxes: no ground truth given; a set of capacity 0 says that there is none");
  check_box_set("match_boxes: ground truth", *input.truth);
  const int64_t images = input.truth->images();
  const Tensor& boxes = input.boxes;
  TS_CHECK(boxes.defined() && (boxes.axes() == 2 || boxes.axes() == 3) && boxes.size(-1) == 4 &&
               (boxes.axes() == 2 || boxes.size(0) == images),
           "match_boxes: expected boxes [A, 4] or [", images, ", A, 4], got ",
           boxes.defined() ? boxes.shape().str() : "an undefined tensor");
  TS_CHECK(boxes.dtype() == input.truth->boxes.dtype(), "match_boxes: boxes are ", name_of(boxes.dtype()),
           ", ground truth is ", name_of(input.truth->boxes.dtype()));
  if (input.count) check_shape("match_boxes: count", *input.count, {images});
  if (input.usable) check_shape("match_boxes: usable", *input.usable, {images, boxes.size(-2)});
  if (input.ignore) {
    check_box_set("match_boxes: ignore regions", *input.ignore);
    TS_CHECK(input.ignore->images() == images, "match_boxes: ignore regions of ", input.ignore->images(),
             " images for ", images);
  }
  TS_CHECK(options.negative <= options.positive, "match_boxes: negative threshold ", options.negative,
           " above the positive one, ", options.positive);
}

template <class Real>
void leave_ignored(Context& ctx, const MatchInput& input, const MatcherOptions& options, const Tensor& usable) {
  const Tensor& boxes = input.boxes;
  for_each_item(
      ctx, usable.elements(),
      LeaveIgnored<Real>{boxes.data<Real>(), input.ignore->boxes.data<Real>(), input.ignore->count.data<int32_t>(),
                         input.usable ? input.usable->data<uint8_t>() : nullptr, usable.data<uint8_t>(), boxes.size(-2),
                         input.ignore->capacity(), boxes.axes() == 2, static_cast<Real>(options.ignore_threshold)});
}

template <class Real>
Matches match(Context& ctx, const MatchInput& input, const MatcherOptions& options, const Tensor* usable) {
  const BoxSet& truth = *input.truth;
  const int64_t images = truth.images(), anchors = input.boxes.size(-2), capacity = truth.capacity();
  const int64_t chunks = (anchors + kTile - 1) / kTile;
  const MatchArguments<Real> in{truth.boxes.data<Real>(),
                                truth.count.data<int32_t>(),
                                input.boxes.data<Real>(),
                                input.count ? input.count->data<int32_t>() : nullptr,
                                usable ? usable->data<uint8_t>() : nullptr,
                                capacity,
                                anchors,
                                chunks,
                                input.boxes.axes() == 2,
                                static_cast<Real>(options.min_union)};
  Matches out{Tensor::empty(ctx, {images, anchors}, DType::int32),
              Tensor::empty(ctx, {images, anchors}, input.boxes.dtype())};
  Tensor truth_best;
  if (options.low_quality != LowQuality::off) {
    const Tensor chunk_best = Tensor::empty(ctx, {images, capacity, chunks}, input.boxes.dtype());
    truth_best = Tensor::empty(ctx, {images, capacity}, input.boxes.dtype());
    for_each_item(ctx, images * chunks, BestOfTruthInChunk<Real>{in, chunk_best.data<Real>()});
    for_each_item(
        ctx, images * capacity,
        BestOfTruth<Real>{chunk_best.data<Real>(), in.truth_count, truth_best.data<Real>(), capacity, chunks});
  }
  for_each_item(
      ctx, images * chunks,
      MatchChunk<Real>{in, truth_best.defined() ? truth_best.data<Real>() : nullptr, out.index.data<int32_t>(),
                       out.best.data<Real>(), static_cast<Real>(options.positive), static_cast<Real>(options.negative),
                       static_cast<Real>(options.low_quality_minimum), options.low_quality});
  return out;
}

}  // namespace

Matches match_boxes(Context& ctx, const MatchInput& input, const MatcherOptions& options) {
  check_match_input(input, options);
  Matches out;
  dispatch_full(input.boxes.dtype(), "match_boxes", [&]<class Real>(Real) {
    Tensor usable;
    if (input.ignore && options.ignore_threshold > 0) {
      usable = Tensor::empty(ctx, {input.truth->images(), input.boxes.size(-2)}, DType::uint8);
      leave_ignored<Real>(ctx, input, options, usable);
    }
    out = match<Real>(ctx, input, options, usable.defined() ? &usable : input.usable);
  });
  return out;
}

}  // namespace tailseg
