// A calibration step in the RoI heads (METHODS 4.2, steps 2 to 5): RoIs are sampled as in training, some of them are
// kept, pooled without a tape, and seen by the calibrated head alone. In a cascade every stage has such a head, and the
// detector's own box head moves the boxes to the next stage.
#include "autograd/arithmetic.h"
#include "detection/class_proposals.h"
#include "detection/roi_heads.h"
#include "detection/roi_rows.h"
#include "tensor/profiler.h"

namespace tailseg {
namespace {

struct KeptRows {
  Tensor rows, label;  // [K] int32 into the sample [N * S], and what they are; -1 unused
};

// No unused rows but one where there is no other, unless sizes are fixed.
KeptRows trimmed_rows(Context& ctx, const ClassProposals& kept) {
  if (ctx.fixed_sizes()) return {kept.rows, kept.label};
  const int64_t used = std::max<int64_t>(kept.count.to_vector<int32_t>(ctx)[1], 1);
  return {kept.rows.slice(0, used), kept.label.slice(0, used)};
}

}  // namespace

const CalibratedHead& RoiHeads::calibrated(size_t stage) const {
  TS_CHECK(stages_.at(stage).calibrated, "this detector has no calibrated head");
  return *stages_[stage].calibrated;
}

void RoiHeads::begin_calibration(Context& ctx) const {
  for (size_t s = 0; s < stages_.size(); ++s) calibrated(s).begin(ctx, stages_[s].box);
}

Variable RoiHeads::calibration_loss(Context& ctx, const Stage& stage, const std::vector<Variable>& pyramid,
                                    const RoiTargets& rois, const CalibrationInput& input, const StepKey& key) const {
  KeptRows kept;
  if (options_.calibration->drawn_class_only) {
    RandomKey draws = stage.calibration;
    draws.seed = key.seed;
    const int64_t sampled = rois.label.size(1), most = stage.sampler.most_positives(sampled);
    kept = trimmed_rows(ctx, class_proposals(ctx, rois.label, input.drawn_for, options_.classes, most,
                                             {.key = draws, .step = key.step, .steps = key.counter()}));
  } else {
    kept.rows = rows_for_head(ctx, rois.label, options_.classes + 1, rois.label.size(1));
    kept.label = gather_rows(ctx, flat_rows(rois.label), kept.rows);
  }
  const CalibratedHead& head = *stage.calibrated;
  const Tensor image = gather_rows(ctx, image_by_label(ctx, rois.label), kept.rows);
  RoiFeatures seen;
  {
    const NoGrad no_grad(ctx);
    seen.pooled = pool(ctx, pyramid, gather_rows(ctx, flat_rows(rois.boxes), kept.rows), image, options_.box_pool);
    if (head.wants_features()) seen.features = stage.box.features(ctx, seen.pooled);
  }
  if (head.means()) head.means()->add(ctx, seen.features.value(), kept.label);
  const Variable logits = head.logits(ctx, stage.box, seen);
  SpanScope span(ctx, "loss/calibration");
  ClassLoss& loss = head.loss();
  Tensor objects;
  if (loss.wants_objects()) {
    objects = object_of_row(ctx, image, gather_rows(ctx, flat_rows(rois.truth), kept.rows), kObjectsAnImage);
  }
  const Tensor draws = loss.draws(ctx, logits.size(0), {key.seed, key.step, kept.rows, key.steps});
  return loss.loss(ctx, {logits, kept.label, draws, {}, objects}).loss;
}

RoiHeads::BoxOutput RoiHeads::box_offsets(Context& ctx, const Stage& stage, const std::vector<Variable>& pyramid,
                                          const RoiTargets& rois) const {
  const Tensor rows = rows_for_head(ctx, rois.label, options_.classes + 1, rois.label.size(1));
  const Tensor boxes = gather_rows(ctx, flat_rows(rois.boxes), rows);
  const Tensor image = gather_rows(ctx, image_by_label(ctx, rois.label), rows);
  const Variable x = stage.box.features(ctx, pool(ctx, pyramid, boxes, image, options_.box_pool));
  return {rows, stage.box.all_deltas(ctx, x).value()};
}

std::vector<Variable> RoiHeads::calibration_losses(Context& ctx, const std::vector<Variable>& pyramid,
                                                   const CalibrationInput& input, const StepKey& key) const {
  TS_CHECK(options_.calibration, "a calibration step of a detector without a calibrated head");
  check_shape("calibration: drawn classes", input.drawn_for, {input.images.pixels.size(0)});
  std::vector<Variable> all;
  BoxSet boxes = input.proposals;
  for (const Stage& stage : stages_) {
    const RoiTargets rois = sample(ctx, stage, boxes, input.truth, key);
    all.push_back(calibration_loss(ctx, stage, pyramid, rois, input, key));
    if (all.size() == stages_.size()) break;
    const NoGrad no_grad(ctx);
    boxes = refined(ctx, stage, rois, boxes, input.images, input.truth, box_offsets(ctx, stage, pyramid, rois));
  }
  return all;
}

}  // namespace tailseg
