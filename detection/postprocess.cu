#include "detection/postprocess.h"

#include "detection/nms.h"
#include "detection/postprocess_body.h"
#include "tensor/launch.h"
#include "tensor/sort.h"

namespace tailseg {
namespace {

constexpr int64_t kFirstCandidates = 4096;  // enough in practice: 300 survivors among the best 4096 pairs

struct Chunk {
  RankedRows ranked;
  Tensor boxes;
  Tensor labels;
  NmsResult nms;
};

template <class Real>
Chunk suppress_best(Context& ctx, const PostprocessInput& input, const PostprocessOptions& options, const Tensor& keys,
                    int64_t candidates) {
  const int64_t images = input.proposals->images(), per_image = input.proposals->capacity();
  const int64_t classes = input.scores.size(1);
  Chunk chunk;
  chunk.ranked = topk(ctx, keys, candidates);
  chunk.boxes = Tensor::empty(ctx, {images, candidates, 4}, keys.dtype());
  chunk.labels = Tensor::empty(ctx, {images, candidates}, DType::int32);
  const Tensor nms_boxes = Tensor::empty(ctx, chunk.boxes.shape(), keys.dtype());
  const Tensor valid = Tensor::empty(ctx, {images, candidates}, DType::uint8);
  for_each_item(ctx, images * candidates,
                DecodeCandidates<Real>{chunk.ranked.indices.data<int32_t>(), chunk.ranked.values.data<Real>(),
                                       input.proposals->boxes.data<Real>(), input.deltas.data<Real>(),
                                       input.image_sizes.data<int32_t>(), input.photo_sizes.data<int32_t>(),
                                       chunk.boxes.data<Real>(), nms_boxes.data<Real>(), chunk.labels.data<int32_t>(),
                                       valid.data<uint8_t>(), per_image, candidates, classes,
                                       BoxCoder<Real>::of(options.coder), Real(options.smallest_side),
                                       input.deltas.size(1) != 4 * classes, options.rescale_before_nms});
  chunk.nms = nms_sorted(ctx, {.boxes = nms_boxes, .labels = &chunk.labels, .valid = &valid}, options.nms_threshold,
                         options.max_detections);
  return chunk;
}

// Were there candidates beyond this chunk in an image that has room for more detections?
template <class Real>
bool needs_more(Context& ctx, const Chunk& chunk, const PostprocessOptions& options) {
  const std::vector<int32_t> counts = chunk.nms.count.template to_vector<int32_t>(ctx);
  const std::vector<Real> values = chunk.ranked.values.template to_vector<Real>(ctx);
  const size_t candidates = values.size() / counts.size();
  for (size_t n = 0; n < counts.size(); ++n) {
    const bool full = values[(n + 1) * candidates - 1] > -std::numeric_limits<Real>::infinity();
    if (full && counts[n] < options.max_detections) return true;
  }
  return false;
}

template <class Real>
Detections gather(Context& ctx, const PostprocessInput& input, const PostprocessOptions& options, const Chunk& chunk) {
  const int64_t images = input.proposals->images(), most = options.max_detections;
  const DType dtype = chunk.boxes.dtype();
  Detections out;
  out.photo.boxes = Tensor::empty(ctx, {images, most, 4}, dtype);
  out.photo.scores = Tensor::empty(ctx, {images, most}, dtype);
  out.photo.labels = Tensor::empty(ctx, {images, most}, DType::int32);
  out.photo.count = chunk.nms.count;
  out.network_boxes = Tensor::empty(ctx, {images, most, 4}, dtype);
  for_each_item(ctx, images * most,
                GatherDetections<Real>{
                    chunk.nms.survivors.data<int32_t>(), chunk.ranked.values.data<Real>(), chunk.boxes.data<Real>(),
                    chunk.labels.data<int32_t>(), input.image_sizes.data<int32_t>(), input.photo_sizes.data<int32_t>(),
                    out.photo.boxes.data<Real>(), out.network_boxes.data<Real>(), out.photo.scores.data<Real>(),
                    out.photo.labels.data<int32_t>(), chunk.boxes.size(1), most});
  if (options.drop_empty) {
    for_each_item(ctx, images,
                  DropEmptyDetections<Real>{out.photo.boxes.data<Real>(), out.network_boxes.data<Real>(),
                                            out.photo.scores.data<Real>(), out.photo.labels.data<int32_t>(),
                                            out.photo.count.data<int32_t>(), input.photo_sizes.data<int32_t>(), most});
  }
  return out;
}

void check_input(const PostprocessInput& input, const PostprocessOptions& options) {
  check_box_set("postprocess: proposals", *input.proposals);
  const int64_t images = input.proposals->images(), rows = images * input.proposals->capacity();
  check_shape("postprocess: scores", input.scores, {rows, -1});
  TS_CHECK(
      input.deltas.size(0) == rows && (input.deltas.size(1) == 4 || input.deltas.size(1) == 4 * input.scores.size(1)),
      "postprocess: deltas ", input.deltas.shape(), " for scores ", input.scores.shape());
  check_shape("postprocess: image sizes", input.image_sizes, {images, 2});
  check_shape("postprocess: photo sizes", input.photo_sizes, {images, 2});
  TS_CHECK(options.max_detections > 0, "postprocess: max_detections ", options.max_detections);
  TS_CHECK(input.proposals->capacity() * input.scores.size(1) < (int64_t{1} << 31),
           "postprocess: ", input.proposals->capacity(), " proposals times ", input.scores.size(1),
           " classes are too many pairs");
}

}  // namespace

Detections postprocess(Context& ctx, const PostprocessInput& input, const PostprocessOptions& options) {
  SpanScope span(ctx, "postprocess");
  check_input(input, options);
  const int64_t images = input.proposals->images(), per_image = input.proposals->capacity();
  const int64_t classes = input.scores.size(1), pairs = per_image * classes;
  Detections out;
  dispatch_full(input.scores.dtype(), "postprocess", [&]<class Real>(Real) {
    const Tensor keys = Tensor::empty(ctx, {images, pairs}, input.scores.dtype());
    for_each_item(ctx, images * per_image,
                  CandidateKeys<Real>{input.scores.data<Real>(), input.proposals->count.data<int32_t>(),
                                      keys.data<Real>(), per_image, classes, Real(options.score_threshold)});
    Chunk chunk;
    for (int64_t candidates = std::min(pairs, kFirstCandidates);; candidates = std::min(pairs, candidates * 8)) {
      chunk = suppress_best<Real>(ctx, input, options, keys, candidates);
      if (candidates == pairs || !needs_more<Real>(ctx, chunk, options)) break;
    }
    out = gather<Real>(ctx, input, options, chunk);
  });
  return out;
}

}  // namespace tailseg
