#include "detection/proposals.h"

#include <algorithm>

#include "detection/nms.h"
#include "detection/proposals_body.h"
#include "tensor/elementwise.h"
#include "tensor/launch.h"
#include "tensor/sort.h"

namespace tailseg {
namespace {

void check_levels(const std::vector<RpnLevel>& levels, const AnchorSet& anchors, const Tensor& image_sizes) {
  TS_CHECK(!levels.empty() && levels.size() == anchors.levels.size(), "make_proposals: outputs of ", levels.size(),
           " levels, anchors of ", anchors.levels.size());
  check_shape("make_proposals: image sizes", image_sizes, {-1, 2});
  for (size_t l = 0; l < levels.size(); ++l) {
    const AnchorLevel& at = anchors.levels[l];
    const std::string what = text("make_proposals: level ", l);
    check_shape(what.c_str(), levels[l].scores, {image_sizes.size(0), at.height, at.width, -1});
    check_shape(what.c_str(), levels[l].deltas, {image_sizes.size(0), at.height, at.width, -1});
    TS_CHECK(
        levels[l].scores.dtype() == levels[0].scores.dtype() && levels[l].deltas.dtype() == levels[0].scores.dtype(),
        what, ": all outputs must have one dtype");
    TS_CHECK(levels[l].score_channel >= 0 && levels[l].score_channel + at.per_cell <= levels[l].scores.size(3) &&
                 levels[l].delta_channel >= 0 && levels[l].delta_channel + 4 * at.per_cell <= levels[l].deltas.size(3),
             what, ": ", at.per_cell, " anchors a cell do not fit into ", levels[l].scores.shape(), " from channel ",
             levels[l].score_channel, " and ", levels[l].deltas.shape(), " from channel ", levels[l].delta_channel);
  }
}

// Best anchors of each level, decoded: one segment for each image and level.
template <class Scalar>
struct Candidates {
  using Real = ComputeType<Scalar>;
  Tensor boxes, scores, valid;  // [N, L, K, 4], [N, L, K], [N, L, K]

  Candidates(Context& ctx, int64_t images, int64_t levels, int64_t capacity)
      : boxes(Tensor::empty(ctx, {images, levels, capacity, 4}, dtype_of<Real>())),
        scores(Tensor::empty(ctx, {images, levels, capacity}, dtype_of<Real>())),
        valid(Tensor::empty(ctx, {images, levels, capacity}, DType::uint8)) {}

  void fill_level(Context& ctx, const RpnLevel& level, const AnchorLevel& at, int64_t l, const Tensor& anchors,
                  const Tensor& image_sizes, const ProposalOptions& options) const {
    const int64_t images = boxes.size(0), capacity = boxes.size(2), count = at.count();
    const RpnView<Scalar> view{level.scores.template data<Scalar>() + level.score_channel,
                               level.deltas.template data<Scalar>() + level.delta_channel,
                               level.scores.size(3),
                               level.deltas.size(3),
                               at.width,
                               at.per_cell,
                               count};
    const Tensor keys = Tensor::empty(ctx, {images, count}, dtype_of<Real>());
    for_each_item(ctx, images * at.height,
                  RankAnchors<Scalar>{view, keys.template data<Real>(), options.score == RpnScore::probability});
    const int64_t ranked_count = std::min(capacity, count);
    const RankedRows best = topk(ctx, keys, ranked_count);
    for_each_item(ctx, images * capacity,
                  DecodeRanked<Scalar>{
                      view, anchors.template data<Real>() + at.first * 4, best.values.template data<Real>(),
                      best.indices.data<int32_t>(), image_sizes.data<int32_t>(), boxes.template data<Real>(),
                      scores.template data<Real>(), valid.data<uint8_t>(), ranked_count, capacity, l, boxes.size(1),
                      BoxCoder<Real>::of(options.coder), static_cast<Real>(options.smallest), options.smallest_counts});
  }
};

template <class Scalar>
BoxSet propose(Context& ctx, const std::vector<RpnLevel>& levels, const AnchorSet& anchors, const Tensor& image_sizes,
               const ProposalOptions& options) {
  using Real = ComputeType<Scalar>;
  const int64_t images = image_sizes.size(0), level_count = static_cast<int64_t>(levels.size());
  int64_t capacity = 0;
  for (const AnchorLevel& at : anchors.levels) capacity = std::max(capacity, std::min(at.count(), options.per_level));
  const Candidates<Scalar> candidates(ctx, images, level_count, capacity);
  const Tensor boxes = cast(ctx, anchors.boxes, dtype_of<Real>());
  for (size_t l = 0; l < levels.size(); ++l) {
    candidates.fill_level(ctx, levels[l], anchors.levels[l], static_cast<int64_t>(l), boxes, image_sizes, options);
  }
  // Behind its first `most` survivors no level has anything to add.
  const int64_t most_in_level = std::min(capacity, options.most), segments = images * level_count;
  NmsInput input;
  input.boxes = candidates.boxes.reshape({segments, capacity, 4});
  const Tensor valid = candidates.valid.reshape({segments, capacity});
  input.valid = &valid;
  const NmsResult survivors = nms_sorted(ctx, input, options.nms_threshold, most_in_level);
  BoxSet out;
  out.boxes = Tensor::empty(ctx, {images, options.most, 4}, dtype_of<Real>());
  out.scores = Tensor::empty(ctx, {images, options.most}, dtype_of<Real>());
  out.count = Tensor::empty(ctx, {images}, DType::int32);
  for_each_item(
      ctx, images,
      MergeLevels<Real>{candidates.boxes.template data<Real>(), candidates.scores.template data<Real>(),
                        survivors.survivors.data<int32_t>(), survivors.count.data<int32_t>(), out.boxes.data<Real>(),
                        out.scores.data<Real>(), out.count.data<int32_t>(), level_count, capacity, most_in_level,
                        options.most, options.score == RpnScore::logit_then_probability});
  return out;
}

}  // namespace

BoxSet make_proposals(Context& ctx, const std::vector<RpnLevel>& levels, const AnchorSet& anchors,
                      const Tensor& image_sizes, const ProposalOptions& options) {
  check_levels(levels, anchors, image_sizes);
  TS_CHECK(options.per_level > 0 && options.most > 0, "make_proposals: ", options.per_level, " anchors of a level, ",
           options.most, " proposals wanted");
  BoxSet out;
  dispatch_floating(levels[0].scores.dtype(), "make_proposals",
                    [&]<class Scalar>(Scalar) { out = propose<Scalar>(ctx, levels, anchors, image_sizes, options); });
  return out;
}

}  // namespace tailseg
