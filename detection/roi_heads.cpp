#include "detection/roi_heads.h"

#include "autograd/arithmetic.h"
#include "detection/losses/binary_cross_entropy.h"
#include "detection/losses/smooth_l1.h"
#include "detection/losses/uniform_draws.h"
#include "detection/roi_rows.h"
#include "tensor/elementwise.h"
#include "tensor/profiler.h"

namespace tailseg {
namespace {

constexpr size_t kPooledLevels = 4;       // P2..P5; P6 is never pooled
constexpr int64_t kMostImages = 1 << 14;  // at most

Tensor joined_rows(Context& ctx, const Tensor& a, const Tensor& b) {
  const int64_t rows = a.size(0), all = rows + b.size(0);
  const Tensor out = Tensor::empty(ctx, a.shape().with(0, all), a.dtype());
  out.slice(0, rows).copy_from(ctx, a);
  out.slice(rows, all).copy_from(ctx, b);
  return out;
}

RandomKey seeded(RandomKey key, const StepKey& step) {
  key.seed = step.seed;
  return key;
}

}  // namespace

RoiHeads::RoiHeads(const Scope& scope, int64_t channels, const MaskRcnnOptions& options) : options_(options) {
  const CascadeOptions& cascade = options_.cascade;
  if (cascade.stages.empty()) add_stage(scope, channels, "");
  TS_CHECK(cascade.stages.empty() || options_.box_head.class_agnostic,
           "a cascade's box heads are class-agnostic; box_head.class_agnostic is off");
  for (size_t s = 0; s < cascade.stages.size(); ++s) add_stage(scope, channels, text(".", s));
  if (options_.calibration) {
    calibrated_shares_ = tailseg::calibrated_shares(scope.store().context(), options_.calibration->dual,
                                                    options_.classes, options_.box_head.statistics);
  }
  if (options_.watch_class_gradients) {
    class_gradients_.emplace(scope.sub("box_predictor" + stages_.back().box.options().stage), options_.classes);
  }
}

void RoiHeads::add_stage(const Scope& scope, int64_t channels, const std::string& name) {
  const CascadeOptions& cascade = options_.cascade;
  const size_t s = stages_.size();
  BoxHeadOptions box = options_.box_head;
  MaskHeadOptions mask = options_.mask_head;
  box.stage = name;
  const auto purpose = [&](const char* what) {
    return RandomKey{0, random_purpose(s == 0 ? what : text(what, " ", s))};
  };
  Stage stage{options_.roi_matcher,
              options_.roi_sampler,
              options_.roi_coder,
              options_.truth_place,
              purpose("roi sample"),
              purpose("feature memory"),
              purpose("feature memory boxes"),
              purpose("calibration proposals"),
              1,
              BoxHead(scope, channels, box),
              std::nullopt,
              std::nullopt};
  if (options_.calibration) stage.calibrated.emplace(scope, channels, stage.box, *options_.calibration);
  if (name.empty()) {
    stage.mask.emplace(scope, channels, mask);
  } else {
    const CascadeStage& own = cascade.stages[s];
    stage.matcher.positive = stage.matcher.negative = stage.matcher.low_quality_minimum = own.iou;
    stage.coder.weights = own.delta_weights;
    stage.loss_weight = own.loss_weight;
    if (s > 0 && !cascade.resample) {
      stage.sampler.take_all = true;
      stage.truth_place = TruthPlace::nowhere;
    }
    if (cascade.mask_head_each_stage) mask.stage = name;
    if (cascade.mask_head_each_stage || s == 0) stage.mask.emplace(scope, channels, mask);
  }
  stages_.push_back(std::move(stage));
}

RoiTargets RoiHeads::sample(Context& ctx, const Stage& stage, const BoxSet& proposals, const TruthBatch& truth,
                            const StepKey& key) const {
  SpanScope span(ctx, "sample_rois");
  const BoxSet candidates = with_truth(ctx, proposals, truth.boxes, stage.truth_place);
  const Matches matches = match_boxes(ctx,
                                      {.truth = &truth.boxes,
                                       .boxes = candidates.boxes,
                                       .count = &candidates.count,
                                       .truth_leads = stage.truth_place == TruthPlace::first},
                                      stage.matcher);
  const Sample sample = subsample(ctx, matches, stage.sampler,
                                  {.key = seeded(stage.sample, key), .step = key.step, .steps = key.counter()});
  return roi_targets(ctx, sample, matches, candidates, truth.boxes, options_.classes, stage.coder);
}

Variable RoiHeads::pool(Context& ctx, const std::vector<Variable>& pyramid, const Tensor& boxes, const Tensor& image,
                        const RoiAlignOptions& options) const {
  const std::vector<Variable> levels(pyramid.begin(), pyramid.begin() + kPooledLevels);
  const Tensor level = assign_levels(ctx, boxes, static_cast<int64_t>(kPooledLevels), options_.level_rule);
  return roi_align(ctx, levels, {1.0 / 4, 1.0 / 8, 1.0 / 16, 1.0 / 32},
                   {cast(ctx, boxes, DType::float32), image, level}, options);
}

// Rows of past steps behind those of this one (METHODS 1.14).
void RoiHeads::add_remembered(Context& ctx, const Stage& stage, BoxRows& rows, const StepKey& key) const {
  const FeatureMemory& memory = *stage.box.memory();
  const Tensor draws = uniform_draws(ctx, {1, memory.draws()}, {seeded(stage.memory, key), key.step, {}, key.steps});
  const MemoryRows past = memory.draw(ctx, stage.box.loss().running_scores(), draws.reshape({memory.draws()}));
  const int64_t count = past.labels.size(0);
  const Variable features(
      cast(ctx, past.features, rows.pooled.value().dtype()).reshape(rows.pooled.shape().with(0, count)));
  rows.pooled = concat_rows(ctx, {rows.pooled, features});
  rows.label = joined_rows(ctx, rows.label, past.labels);
  rows.deltas = joined_rows(ctx, rows.deltas, past.deltas);
  const Tensor behind =
      Tensor::full(ctx, {count}, kMostImages, DType::int32);  // one object a class, none of the batch's
  rows.objects = joined_rows(ctx, rows.objects, object_of_row(ctx, behind, past.labels, kObjectsAnImage));
}

void RoiHeads::remember(Context& ctx, const Stage& stage, const std::vector<Variable>& pyramid,
                        const ImageBatch& images, const TruthBatch& truth, const StepKey& key) const {
  const NoGrad no_grad(ctx);
  const Tensor draws =
      uniform_draws(ctx, {truth.boxes.images(), 4 * kJitters}, {seeded(stage.jitter, key), key.step, {}, key.steps});
  const JitteredBoxes around = jittered_boxes(ctx, truth.boxes, images.sizes, draws);
  const Variable pooled = pool(ctx, pyramid, around.boxes, around.image, options_.box_pool);
  stage.box.memory()->push(ctx, pooled.value(), around.labels,
                           encode_boxes(ctx, around.boxes, around.objects, stage.coder));
}

RoiHeads::BoxOutput RoiHeads::box_losses(Context& ctx, const Stage& stage, const std::vector<Variable>& pyramid,
                                         const RoiTargets& rois, const StepKey& key, StageLosses& out) const {
  const Tensor rows = rows_for_head(ctx, rois.label, options_.classes + 1, rois.label.size(1));
  const Tensor boxes = gather_rows(ctx, flat_rows(rois.boxes), rows);
  const Tensor image = gather_rows(ctx, image_by_label(ctx, rois.label), rows);
  ClassLoss& loss = stage.box.loss();
  BoxRows all{pool(ctx, pyramid, boxes, image, options_.box_pool),
              gather_rows(ctx, flat_rows(rois.label), rows),
              gather_rows(ctx, flat_rows(rois.deltas), rows),
              {}};
  if (options_.cascade.gradient_scale != 1) {
    all.pooled = scale_gradient(ctx, all.pooled, options_.cascade.gradient_scale);
  }
  if (loss.wants_objects()) {
    all.objects = object_of_row(ctx, image, gather_rows(ctx, flat_rows(rois.truth), rows), kObjectsAnImage);
  }
  if (stage.box.memory()) add_remembered(ctx, stage, all, key);

  const Variable x = stage.box.features(ctx, all.pooled);
  Variable logits = stage.box.class_logits(ctx, x);
  if (class_gradients_ && &stage == &stages_.back()) {
    logits = class_gradients_->watch(ctx, logits, all.label, loss.class_columns(ctx));
  }
  // A cascade moves the background's boxes too.
  const bool every_row = !options_.cascade.stages.empty();
  const Variable offsets = every_row ? stage.box.all_deltas(ctx, x) : stage.box.deltas(ctx, x, all.label);

  SpanScope span(ctx, "loss/box");
  const Tensor draws = loss.draws(ctx, logits.size(0), {key.seed, key.step, rows, key.steps});
  const RowLoss classification = loss.loss(ctx, {logits, all.label, draws, {}, all.objects});
  out.box_class = classification.loss;
  out.box_counts = classification.counts;
  out.box_delta = box_loss(ctx, offsets, all.deltas, all.label, {options_.classes, options_.box_beta}).loss;
  return {rows, offsets.value().slice(0, rows.size(0))};
}

Variable RoiHeads::mask_loss(Context& ctx, const Stage& stage, const std::vector<Variable>& pyramid,
                             const ImageBatch& images, const TruthBatch& truth, const RoiTargets& rois) const {
  const Tensor rows =
      rows_for_head(ctx, rois.label, options_.classes, stage.sampler.most_positives(rois.label.size(1)));
  const Tensor boxes = gather_rows(ctx, flat_rows(rois.boxes), rows);
  const Tensor label = foreground_labels(ctx, gather_rows(ctx, flat_rows(rois.label), rows), options_.classes);
  const Tensor image = gather_rows(ctx, image_by_label(ctx, rois.label), rows);
  const Tensor matched = gather_rows(ctx, flat_rows(rois.truth), rows);

  const Variable x = stage.mask->features(ctx, pool(ctx, pyramid, boxes, image, options_.mask_pool));
  const Variable logits = stage.mask->logits(ctx, x, label);
  SpanScope span(ctx, "loss/mask");
  const MaskTargetInput input{cast(ctx, boxes, DType::float32), image, matched,
                              options_.mask_frame_is_padded ? images.padded_sizes : images.sizes,
                              truth.boxes.capacity()};
  const Tensor targets = cast(ctx, mask_targets(ctx, truth.masks, input, options_.mask_targets), boxes.dtype());
  return binary_cross_entropy(ctx, logits, targets, label).loss;
}

BoxSet RoiHeads::refined(Context& ctx, const Stage& stage, const RoiTargets& rois, const BoxSet& proposals,
                         const ImageBatch& images, const TruthBatch& truth, const BoxOutput& seen) const {
  SpanScope span(ctx, "refine_rois");
  return refine_rois(ctx,
                     {.rois = &rois,
                      .proposals = &proposals,
                      .truth = &truth.boxes,
                      .place = stage.truth_place,
                      .rows = seen.rows,
                      .deltas = seen.offsets,
                      .image_sizes = images.sizes},
                     {stage.coder, options_.cascade.resample, !options_.cascade.resample});
}

std::vector<StageLosses> RoiHeads::losses(Context& ctx, const std::vector<Variable>& pyramid, const BoxSet& proposals,
                                          const ImageBatch& images, const TruthBatch& truth, const StepKey& key) {
  std::vector<StageLosses> all;
  BoxSet boxes = proposals;
  for (const Stage& stage : stages_) {
    const RoiTargets rois = sample(ctx, stage, boxes, truth, key);
    StageLosses& out = all.emplace_back();
    if (stage.box.memory()) remember(ctx, stage, pyramid, images, truth, key);
    const BoxOutput seen = box_losses(ctx, stage, pyramid, rois, key, out);
    if (stage.mask) out.mask = mask_loss(ctx, stage, pyramid, images, truth, rois);
    if (all.size() == stages_.size()) break;
    boxes = refined(ctx, stage, rois, boxes, images, truth, seen);
  }
  return all;
}

}  // namespace tailseg
