#include "detection/sampler.h"

#include <algorithm>

#include "detection/sampler_body.h"
#include "tensor/launch.h"
#include "tensor/sort.h"

namespace tailseg {
namespace {

void check_sample(const char* what, const Sample& sample, const Matches& matches) {
  check_shape(what, matches.index, {-1, -1});
  const int64_t images = matches.index.size(0);
  check_shape(what, sample.index, {images, -1});
  check_shape(what, sample.positives, {images});
  check_shape(what, sample.count, {images});
}

}  // namespace

Sample subsample(Context& ctx, const Matches& matches, const SamplerOptions& options, const SamplerDraws& draws) {
  check_shape("subsample: matches", matches.index, {-1, -1});
  const int64_t images = matches.index.size(0), candidates = matches.index.size(1);
  TS_CHECK(options.total >= 0 && options.positive_share >= 0 && options.positive_share <= 1, "subsample: total ",
           options.total, " with a share of positives of ", options.positive_share);
  TS_CHECK(candidates < int64_t{1} << 31, "subsample: ", candidates, " candidates in an image");
  if (draws.keys) check_shape("subsample: keys", *draws.keys, {images, candidates});
  if (draws.steps) check_shape("subsample: steps", *draws.steps, {1});
  const int64_t capacity = options.take_all ? candidates : options.total;
  const auto most_positives =
      options.take_all ? candidates : static_cast<int64_t>(double(options.total) * options.positive_share);
  const Tensor keys = Tensor::empty(ctx, {2 * images, candidates});
  const int64_t chunks = (candidates + 4 * SampleKeys::kQuads - 1) / (4 * SampleKeys::kQuads);
  for_each_item(ctx, images * chunks,
                SampleKeys{matches.index.data<int32_t>(), draws.keys ? draws.keys->data<float>() : nullptr,
                           draws.steps ? draws.steps->data<int32_t>() : nullptr, keys.data<float>(), images, candidates,
                           chunks, draws.key, draws.step, draws.first_image, options.take_all});
  const RankedRows best = topk(ctx, keys, capacity);
  const Sample sample{Tensor::empty(ctx, {images, capacity}, DType::int32), Tensor::empty(ctx, {images}, DType::int32),
                      Tensor::empty(ctx, {images}, DType::int32)};
  for_each_item(
      ctx, images,
      PackSample{best.values.data<float>(), best.indices.data<int32_t>(), sample.index.data<int32_t>(),
                 sample.positives.data<int32_t>(), sample.count.data<int32_t>(), images, capacity, most_positives});
  return sample;
}

AnchorTargets anchor_targets(Context& ctx, const Sample& sample, const Matches& matches, const Tensor& anchors,
                             const BoxSet& truth, const BoxCoderOptions& coder) {
  check_sample("anchor_targets", sample, matches);
  const int64_t images = sample.index.size(0), capacity = sample.capacity(), candidates = matches.index.size(1);
  check_shape("anchor_targets: anchors", anchors, {candidates, 4});
  check_shape("anchor_targets: ground truth", truth.boxes, {images, -1, 4});
  AnchorTargets out{sample.index, Tensor::empty(ctx, {images, capacity}, DType::int32),
                    Tensor::empty(ctx, {images, capacity, 4}, anchors.dtype()), sample.positives, sample.count};
  dispatch_full(anchors.dtype(), "anchor_targets", [&]<class Real>(Real) {
    for_each_item(ctx, images * capacity,
                  FillAnchorTargets<Real>{sample.index.data<int32_t>(), sample.positives.data<int32_t>(),
                                          matches.index.data<int32_t>(), anchors.data<Real>(), truth.boxes.data<Real>(),
                                          out.label.data<int32_t>(), out.deltas.data<Real>(), capacity, candidates,
                                          truth.capacity(), BoxCoder<Real>::of(coder)});
  });
  return out;
}

BoxSet with_truth(Context& ctx, const BoxSet& proposals, const BoxSet& truth, TruthPlace place) {
  check_box_set("with_truth: proposals", proposals);
  check_box_set("with_truth: ground truth", truth);
  const int64_t images = proposals.images();
  TS_CHECK(truth.boxes.dtype() == proposals.boxes.dtype(), "with_truth: ground truth is ", name_of(truth.boxes.dtype()),
           ", proposals are ", name_of(proposals.boxes.dtype()));
  TS_CHECK(truth.images() == images, "with_truth: ground truth of ", truth.images(), " images, proposals of ", images);
  BoxSet out;
  if (place == TruthPlace::nowhere || truth.capacity() == 0) {
    out.boxes = proposals.boxes;
    out.count = proposals.count;
    return out;
  }
  out.boxes = Tensor::empty(ctx, {images, proposals.capacity() + truth.capacity(), 4}, proposals.boxes.dtype());
  out.count = Tensor::empty(ctx, {images}, DType::int32);
  dispatch_full(proposals.boxes.dtype(), "with_truth", [&]<class Real>(Real) {
    for_each_item(
        ctx, images * out.capacity(),
        JoinTruth<Real>{proposals.boxes.data<Real>(), truth.boxes.data<Real>(), proposals.count.data<int32_t>(),
                        truth.count.data<int32_t>(), out.boxes.data<Real>(), out.count.data<int32_t>(),
                        proposals.capacity(), truth.capacity(), place == TruthPlace::first});
  });
  return out;
}

RoiTargets roi_targets(Context& ctx, const Sample& sample, const Matches& matches, const BoxSet& candidates,
                       const BoxSet& truth, int64_t background_label, const BoxCoderOptions& coder) {
  check_sample("roi_targets", sample, matches);
  const int64_t images = sample.index.size(0), capacity = sample.capacity();
  check_shape("roi_targets: candidates", candidates.boxes, {images, matches.index.size(1), 4});
  check_shape("roi_targets: ground truth", truth.boxes, {images, -1, 4});
  check_shape("roi_targets: labels", truth.labels, {images, truth.capacity()});
  const DType dtype = candidates.boxes.dtype();
  const auto ints = [&] { return Tensor::empty(ctx, {images, capacity}, DType::int32); };
  RoiTargets out{Tensor::empty(ctx, {images, capacity, 4}, dtype),
                 ints(),
                 ints(),
                 Tensor::empty(ctx, {images, capacity, 4}, dtype),
                 sample.index,
                 sample.positives,
                 sample.count};
  dispatch_full(dtype, "roi_targets", [&]<class Real>(Real) {
    for_each_item(
        ctx, images * capacity,
        FillRoiTargets<Real>{sample.index.data<int32_t>(), sample.positives.data<int32_t>(),
                             matches.index.data<int32_t>(), candidates.boxes.data<Real>(), truth.boxes.data<Real>(),
                             truth.labels.data<int32_t>(), out.boxes.data<Real>(), out.label.data<int32_t>(),
                             out.truth.data<int32_t>(), out.deltas.data<Real>(), capacity, candidates.capacity(),
                             truth.capacity(), static_cast<int32_t>(background_label), BoxCoder<Real>::of(coder)});
  });
  return out;
}

}  // namespace tailseg
