// Prediction of the second half of the detector (roi_heads.h): scores of one stage, or of all stages of a cascade
// together, with the calibrated head's among them; detections; masks.
#include <algorithm>

#include "autograd/arithmetic.h"
#include "detection/roi_heads.h"
#include "detection/roi_rows.h"
#include "tensor/elementwise.h"

namespace tailseg {
namespace {

// The running sum of what the stages give, and in the end their mean.
class Mean {
 public:
  void add(Context& ctx, const Tensor& x) {
    sum_ = count_ == 0 ? x : tailseg::add(ctx, sum_, x);
    ++count_;
  }
  Tensor result(Context& ctx) const { return count_ == 1 ? sum_ : scale(ctx, sum_, 1.0 / count_); }

 private:
  Tensor sum_;
  int count_ = 0;
};

// The scores that the stages give together: of their mean logits, or the mean of their scores.
class StageScores {
 public:
  explicit StageScores(bool of_mean_logits) : of_mean_logits_(of_mean_logits) {}
  void add(Context& ctx, const ClassLoss& loss, const Variable& logits) {
    mean_.add(ctx, of_mean_logits_ ? logits.value() : loss.scores(ctx, logits.value()));
  }
  Tensor result(Context& ctx, const ClassLoss& loss) const {
    return of_mean_logits_ ? loss.scores(ctx, mean_.result(ctx)) : mean_.result(ctx);
  }

 private:
  bool of_mean_logits_;
  Mean mean_;
};

}  // namespace

RoiHeads::Scored RoiHeads::score(Context& ctx, const std::vector<Variable>& pyramid, const BoxSet& proposals,
                                 const ImageBatch& images) const {
  const Tensor image = image_by_count(ctx, proposals.count, proposals.capacity());
  Scored out{proposals, {}, {}};
  const bool dual = calibrated_shares_.defined() && options_.calibration->dual.inference != DualInference::original;
  StageScores original(options_.cascade.mean_of_logits), calibrated = original;
  for (size_t s = 0; s < stages_.size(); ++s) {
    const Stage& stage = stages_[s];
    const Tensor boxes = flat_rows(out.proposals.boxes);
    const Variable pooled = pool(ctx, pyramid, boxes, image, options_.box_pool);
    const Variable x = stage.box.features(ctx, pooled);
    original.add(ctx, stage.box.loss(), stage.box.class_logits(ctx, x));
    if (dual) calibrated.add(ctx, stage.calibrated->loss(), stage.calibrated->logits(ctx, stage.box, {pooled, x}));
    out.deltas = stage.box.all_deltas(ctx, x).value();
    if (s + 1 == stages_.size()) break;
    const Tensor moved = decode_boxes(ctx, boxes, out.deltas, stage.coder, {.sizes = &images.sizes});
    out.proposals.boxes = moved.reshape(out.proposals.boxes.shape());
  }
  out.scores = original.result(ctx, stages_.back().box.loss());
  if (!dual) return out;
  out.scores =
      dual_scores(ctx, out.scores, calibrated.result(ctx, stages_.back().calibrated->loss()), calibrated_shares_);
  return out;
}

Tensor RoiHeads::masks(Context& ctx, const std::vector<Variable>& pyramid, const BatchDetections& detections) const {
  const BoxSet& photo = detections.photo;
  const Tensor owner = image_by_count(ctx, photo.count, photo.capacity());
  const Tensor labels = photo.labels.reshape({photo.labels.elements()});
  const Variable pooled = pool(ctx, pyramid, flat_rows(detections.network_boxes), owner, options_.mask_pool);
  Mean mean;
  for (const Stage& stage : stages_) {
    if (!stage.mask) continue;
    mean.add(ctx, sigmoid(ctx, stage.mask->logits(ctx, stage.mask->features(ctx, pooled), labels).value()));
  }
  return mean.result(ctx);
}

Prediction RoiHeads::predict(Context& ctx, const std::vector<Variable>& pyramid, const BoxSet& proposals,
                             const ImageBatch& images, const ScoreChange& change, CandidateChunks chunks) {
  Scored scored = score(ctx, pyramid, trimmed(ctx, proposals), images);
  if (change) scored.scores = change(scored.proposals, scored.scores);
  PostprocessOptions postprocessing = options_.postprocess;
  postprocessing.coder = stages_.back().coder;
  postprocessing.chunks = chunks;
  Prediction out;
  out.detections = postprocess(ctx,
                               {.scores = scored.scores,
                                .deltas = scored.deltas,
                                .proposals = &scored.proposals,
                                .image_sizes = images.sizes,
                                .photo_sizes = images.photo_sizes,
                                .filter_of = stages_.back().box.filter_of()},
                               postprocessing);
  BoxSet& photo = out.detections.photo;
  if (!ctx.fixed_sizes()) {  // no unused rows for the mask head
    const int64_t most = std::max<int64_t>(largest_count(ctx, photo.count), 1);
    out.detections.network_boxes = take_rows(ctx, out.detections.network_boxes, most);
    photo = trimmed(ctx, photo);
  }
  out.masks = masks(ctx, pyramid, out.detections);
  return out;
}

}  // namespace tailseg
