#include "detection/postprocess.h"

#include <algorithm>

#include "detection/nms.h"
#include "detection/postprocess_body.h"
#include "tensor/launch.h"
#include "tensor/sort.h"

namespace tailseg {
namespace {

// What grows from chunk to chunk. Rows that stay unused are those of a BoxSet.
template <class Real>
struct Collection {
  BatchDetections out;
  Tensor nms_boxes, room, unfinished;  // [N, D, 4], [N], [N]

  Collection(Context& ctx, int64_t images, int64_t most) {
    const DType dtype = dtype_of<Real>();
    out.photo.boxes = Tensor::zeros(ctx, {images, most, 4}, dtype);
    out.photo.scores = Tensor::zeros(ctx, {images, most}, dtype);
    out.photo.labels = Tensor::full(ctx, {images, most}, -1, DType::int32);
    out.photo.count = Tensor::zeros(ctx, {images}, DType::int32);
    out.network_boxes = Tensor::zeros(ctx, {images, most, 4}, dtype);
    nms_boxes = Tensor::zeros(ctx, {images, most, 4}, dtype);
    room = Tensor::full(ctx, {images}, double(most), DType::int32);
    unfinished = Tensor::zeros(ctx, {images}, DType::int32);
  }
  Survivors<Real> survivors() const {
    return {nms_boxes.template data<Real>(), out.photo.labels.data<int32_t>(), out.photo.count.data<int32_t>(),
            nms_boxes.size(1)};
  }
};

// Suppresses within one chunk of candidates and adds its survivors.
template <class Real>
void collect(Context& ctx, const PostprocessInput& input, const PostprocessOptions& options, const RankedRows& ranked,
             const Collection<Real>& so_far) {
  const int64_t images = ranked.values.size(0), candidates = ranked.values.size(1), classes = input.scores.size(1);
  const DType dtype = ranked.values.dtype();
  const Tensor boxes = Tensor::empty(ctx, {images, candidates, 4}, dtype);
  const Tensor nms_boxes = Tensor::empty(ctx, {images, candidates, 4}, dtype);
  const Tensor labels = Tensor::empty(ctx, {images, candidates}, DType::int32);
  const Tensor valid = Tensor::empty(ctx, {images, candidates}, DType::uint8);
  for_each_item(ctx, images * candidates,
                DecodeCandidates<Real>{ranked.indices.data<int32_t>(),
                                       ranked.values.data<Real>(),
                                       input.proposals->boxes.data<Real>(),
                                       input.deltas.data<Real>(),
                                       input.filter_of.defined() ? input.filter_of.data<int32_t>() : nullptr,
                                       input.image_sizes.data<int32_t>(),
                                       input.photo_sizes.data<int32_t>(),
                                       so_far.survivors(),
                                       boxes.data<Real>(),
                                       nms_boxes.data<Real>(),
                                       labels.data<int32_t>(),
                                       valid.data<uint8_t>(),
                                       input.proposals->capacity(),
                                       candidates,
                                       classes,
                                       input.deltas.size(1) / 4,
                                       BoxCoder<Real>::of(options.coder),
                                       Real(options.smallest_side),
                                       bound_of<Real>(options.nms_threshold),
                                       options.rescale_before_nms});
  const NmsResult nms = nms_sorted(ctx, {.boxes = nms_boxes, .labels = &labels, .valid = &valid, .limit = &so_far.room},
                                   options.nms_threshold, options.max_detections);
  const BatchDetections& out = so_far.out;
  for_each_item(ctx, images,
                AppendDetections<Real>{
                    nms.survivors.data<int32_t>(), nms.count.data<int32_t>(), ranked.values.data<Real>(),
                    boxes.data<Real>(), nms_boxes.data<Real>(), labels.data<int32_t>(),
                    input.image_sizes.data<int32_t>(), input.photo_sizes.data<int32_t>(), so_far.survivors(),
                    out.photo.boxes.data<Real>(), out.network_boxes.data<Real>(), out.photo.scores.data<Real>(),
                    so_far.room.template data<int32_t>(), so_far.unfinished.template data<int32_t>(), candidates});
}

template <class Real>
BatchDetections detect(Context& ctx, const PostprocessInput& input, const PostprocessOptions& options) {
  const int64_t images = input.proposals->images(), per_image = input.proposals->capacity();
  const int64_t classes = input.scores.size(1), pairs = per_image * classes;
  const Collection<Real> so_far(ctx, images, options.max_detections);
  if (images * pairs == 0) return so_far.out;
  const Tensor keys = Tensor::empty(ctx, {images, pairs}, input.scores.dtype());
  for_each_item(ctx, images * per_image,
                CandidateKeys<Real>{input.scores.data<Real>(), input.proposals->count.data<int32_t>(),
                                    keys.data<Real>(), per_image, classes, Real(options.score_threshold)});
  const int64_t chunk = std::min(pairs, options.chunk);
  for (int64_t done = chunk;; done += chunk) {
    const RankedRows ranked = topk(ctx, keys, chunk);
    collect<Real>(ctx, input, options, ranked, so_far);
    if (done >= pairs || options.chunks == CandidateChunks::first) break;
    if (largest_count(ctx, so_far.unfinished) == 0) break;
    const int64_t blocks = (pairs + DropTaken<Real>::kBlock - 1) / DropTaken<Real>::kBlock;
    for_each_item(ctx, images * blocks,
                  DropTaken<Real>{ranked.indices.data<int32_t>(), ranked.values.data<Real>(), keys.data<Real>(), chunk,
                                  pairs, blocks});
  }
  BatchDetections out = so_far.out;
  if (options.chunks == CandidateChunks::first && chunk < pairs) out.unfinished = so_far.unfinished;
  if (options.drop_empty) {
    for_each_item(ctx, images,
                  DropEmptyDetections<Real>{out.photo.boxes.data<Real>(), out.network_boxes.data<Real>(),
                                            out.photo.scores.data<Real>(), out.photo.labels.data<int32_t>(),
                                            out.photo.count.data<int32_t>(), input.photo_sizes.data<int32_t>(),
                                            options.max_detections});
  }
  return out;
}

void check_input(const PostprocessInput& input, const PostprocessOptions& options) {
  check_box_set("postprocess: proposals", *input.proposals);
  const int64_t images = input.proposals->images(), rows = images * input.proposals->capacity();
  check_shape("postprocess: scores", input.scores, {rows, -1});
  const int64_t classes = input.scores.size(1), columns = input.deltas.axes() == 2 ? input.deltas.size(1) : 0;
  const bool fits =
      input.filter_of.defined() ? columns > 0 && columns % 4 == 0 : columns == 4 || columns == 4 * classes;
  TS_CHECK(fits && input.deltas.size(0) == rows, "postprocess: deltas ", input.deltas.shape(), " for scores ",
           input.scores.shape());
  if (input.filter_of.defined()) check_shape("postprocess: filter_of", input.filter_of, {classes});
  check_shape("postprocess: image sizes", input.image_sizes, {images, 2});
  check_shape("postprocess: photo sizes", input.photo_sizes, {images, 2});
  TS_CHECK(options.max_detections > 0 && options.chunk > 0, "postprocess: max_detections ", options.max_detections,
           ", chunk ", options.chunk);
  TS_CHECK(input.proposals->capacity() * input.scores.size(1) < (int64_t{1} << 31),
           "postprocess: ", input.proposals->capacity(), " proposals times ", input.scores.size(1),
           " classes are too many pairs");
}

}  // namespace

BatchDetections postprocess(Context& ctx, const PostprocessInput& input, const PostprocessOptions& options) {
  SpanScope span(ctx, "postprocess");
  check_input(input, options);
  BatchDetections out;
  dispatch_full(input.scores.dtype(), "postprocess",
                [&]<class Real>(Real) { out = detect<Real>(ctx, input, options); });
  return out;
}

}  // namespace tailseg
