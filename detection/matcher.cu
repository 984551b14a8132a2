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
  TS_CHECK(!input.truth_leads || boxes.axes() == 3,
           "match_boxes: boxes that every image shares cannot begin with its "
           "ground truth");
  TS_CHECK(options.negative <= options.positive, "match_boxes: negative threshold ", options.negative,
           " above the positive one, ", options.positive);
}

template <class Real>
Matches match(Context& ctx, const MatchInput& input, const MatcherOptions& options) {
  const BoxSet& truth = *input.truth;
  const int64_t images = truth.images(), anchors = input.boxes.size(-2), capacity = truth.capacity();
  const int64_t chunks = (anchors + kTile - 1) / kTile;
  const MatchArguments<Real> in{truth.boxes.data<Real>(),
                                truth.count.data<int32_t>(),
                                input.boxes.data<Real>(),
                                input.count ? input.count->data<int32_t>() : nullptr,
                                input.usable ? input.usable->data<uint8_t>() : nullptr,
                                capacity,
                                anchors,
                                chunks,
                                input.boxes.axes() == 2,
                                input.truth_leads,
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
  dispatch_full(input.boxes.dtype(), "match_boxes", [&]<class Real>(Real) { out = match<Real>(ctx, input, options); });
  return out;
}

}  // namespace tailseg
