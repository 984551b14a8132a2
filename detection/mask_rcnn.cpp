#include "detection/mask_rcnn.h"

#include "autograd/arithmetic.h"
#include "tensor/capture.h"
#include "tensor/elementwise.h"
#include "tensor/profiler.h"

namespace tailseg {
namespace {

constexpr size_t kCachedAnchors = 64;

int64_t anchors_per_cell(const AnchorOptions& options) {
  return static_cast<int64_t>(options.sizes.at(0).size() * options.ratios.size());
}

// Fills in what follows from other options.
MaskRcnnOptions completed(MaskRcnnOptions options) {
  TS_CHECK(options.classes >= 1, "Mask R-CNN for ", options.classes, " classes");
  options.rpn_loss.anchors_per_cell = anchors_per_cell(options.anchors);
  options.box_head.classes = options.mask_head.classes = options.classes;
  options.mask_head.statistics = options.box_head.statistics;
  options.box_head.pooled = options.box_pool.output_size;
  options.mask_targets.size = 2 * options.mask_pool.output_size;
  options.postprocess.coder = options.roi_coder;
  options.train_proposals.coder = options.test_proposals.coder = options.rpn_coder;
  return options;
}

}  // namespace

std::vector<std::pair<std::string, Variable>> MaskRcnnLosses::parts() const {
  std::vector<std::pair<std::string, Variable>> all;
  const bool one_mask = stages.size() < 2 || !stages[1].mask.defined();
  for (size_t s = 0; s < stages.size(); ++s) {
    const std::string stage = stages.size() > 1 ? text("_stage", s) : "";
    all.emplace_back("loss_cls" + stage, stages[s].box_class);
    all.emplace_back("loss_box_reg" + stage, stages[s].box_delta);
    if (stages[s].mask.defined()) all.emplace_back(one_mask ? "loss_mask" : "loss_mask" + stage, stages[s].mask);
  }
  all.emplace_back("loss_rpn_cls", rpn_objectness);
  all.emplace_back("loss_rpn_loc", rpn_box);
  return all;
}

MaskRcnn::MaskRcnn(ParameterStore& store, const MaskRcnnOptions& options)
    : options_(completed(options)),
      backbone_(Scope(store, "backbone.body"), options_.backbone),
      fpn_(Scope(store, "backbone.fpn"), backbone_.channels(), options_.fpn),
      rpn_(Scope(store, "rpn.head"), options_.fpn.channels, anchors_per_cell(options_.anchors)),
      heads_(Scope(store, "roi_heads"), options_.fpn.channels, options_) {
  if (options_.bfloat16) store.set_working_dtype(DType::bfloat16);
  if (!options_.calibration) return;
  for (const ParameterEntry& entry : store.entries()) {
    if (!is_calibrated(entry.name)) entry.variable.set_requires_grad(false);
  }
}

void MaskRcnn::check_ready(Context& ctx) const {
  for (size_t stage = 0; stage < stages(); ++stage) class_loss(stage).check_ready(ctx);
}

MaskRcnn::Features MaskRcnn::run_backbone(Context& ctx, const ImageBatch& images, bool training) {
  check_shape("Mask R-CNN: sizes", images.sizes, {images.pixels.size(0), 2});
  Features features;
  const Tensor pixels = options_.bfloat16 ? cast(ctx, images.pixels, DType::bfloat16) : images.pixels;
  features.pyramid = fpn_(ctx, backbone_(ctx, Variable(pixels), training));
  features.rpn = rpn_(ctx, features.pyramid);
  features.anchors = anchors_for(ctx, features, images);
  return features;
}

AnchorSet MaskRcnn::anchors_for(Context& ctx, const Features& features, const ImageBatch& images) {
  const int64_t height = images.pixels.size(1), width = images.pixels.size(2);
  const std::string key = text(height, "x", width);
  for (const auto& [known, anchors] : anchor_cache_) {
    if (known != key) continue;
    if (Capture* capture = ctx.capture()) capture->hold(std::make_shared<AnchorSet>(anchors));
    return anchors;
  }
  std::vector<LevelSize> sizes;
  for (const Variable& level : features.rpn) sizes.push_back({level.size(1), level.size(2)});
  AnchorSet made = make_anchors(ctx, options_.anchors, height, width, sizes);
  if (ctx.capture()) return made;  // every replay makes them
  if (anchor_cache_.size() >= kCachedAnchors) anchor_cache_.erase(anchor_cache_.begin());
  anchor_cache_.emplace_back(key, made);
  return made;
}

BoxSet MaskRcnn::proposals_of(Context& ctx, const Features& features, const ImageBatch& images,
                              const ProposalOptions& options) {
  SpanScope span(ctx, "proposals");
  std::vector<RpnLevel> levels;
  for (const Variable& level : features.rpn) levels.push_back(RpnLevel::packed(level.value(), rpn_.anchors_per_cell()));
  return make_proposals(ctx, levels, features.anchors, images.sizes, options);
}

RpnLoss MaskRcnn::rpn_losses(Context& ctx, const Features& features, const ImageBatch& images, const TruthBatch& truth,
                             const StepKey& key) {
  SpanScope span(ctx, "loss/rpn");
  Tensor usable;
  if (options_.ignore_padding_anchors || options_.allowed_border >= 0) {
    usable = anchor_validity(ctx, features.anchors, images.pixels.size(0),
                             {.own_sizes = options_.ignore_padding_anchors ? &images.padded_sizes : nullptr,
                              .allowed_border = options_.allowed_border,
                              .image_sizes = options_.allowed_border >= 0 ? &images.sizes : nullptr});
  }
  const Matches matches = match_boxes(
      ctx, {.truth = &truth.boxes, .boxes = features.anchors.boxes, .usable = usable.defined() ? &usable : nullptr},
      options_.rpn_matcher);
  const Sample sample =
      subsample(ctx, matches, options_.rpn_sampler,
                {.key = {key.seed, random_purpose("rpn sample")}, .step = key.step, .steps = key.counter()});
  const AnchorTargets targets =
      anchor_targets(ctx, sample, matches, features.anchors.boxes, truth.boxes, options_.rpn_coder);
  return rpn_loss(ctx, features.rpn, {targets.index, targets.label, targets.deltas}, options_.rpn_loss);
}

MaskRcnnLosses MaskRcnn::losses(Context& ctx, const ImageBatch& images, const TruthBatch& truth, const StepKey& key) {
  check_box_set("Mask R-CNN: ground truth", truth.boxes);
  const Features features = run_backbone(ctx, images, true);
  MaskRcnnLosses out;
  const RpnLoss rpn = rpn_losses(ctx, features, images, truth, key);
  out.rpn_objectness = rpn.objectness;
  out.rpn_box = rpn.box;
  const BoxSet proposals = proposals_of(ctx, features, images, options_.train_proposals);
  out.stages = heads_.losses(ctx, features.pyramid, proposals, images, truth, key);

  auto weighted = [&](const Variable& loss, double weight) { return weight == 1 ? loss : scale(ctx, loss, weight); };
  out.total = add(ctx, weighted(out.rpn_objectness, options_.rpn_objectness_weight),
                  weighted(out.rpn_box, options_.rpn_box_weight));
  for (size_t s = 0; s < out.stages.size(); ++s) {
    const StageLosses& stage = out.stages[s];
    const double weight = heads_.loss_weight(s);
    out.total = add(ctx, out.total, weighted(stage.box_class, options_.class_weight * weight));
    out.total = add(ctx, out.total, weighted(stage.box_delta, options_.box_weight * weight));
    if (stage.mask.defined()) out.total = add(ctx, out.total, weighted(stage.mask, options_.mask_weight * weight));
  }
  return out;
}

std::vector<std::pair<std::string, Variable>> CalibrationLosses::parts() const {
  std::vector<std::pair<std::string, Variable>> all;
  for (size_t s = 0; s < stages.size(); ++s) {
    all.emplace_back("loss_cls" + (stages.size() > 1 ? text("_stage", s) : ""), stages[s]);
  }
  return all;
}

void MaskRcnn::begin_calibration(Context& ctx) const { heads_.begin_calibration(ctx); }

void MaskRcnn::check_ready_to_calibrate(Context& ctx) const {
  for (size_t stage = 0; stage < stages(); ++stage) heads_.calibrated(stage).check_ready(ctx);
}

CalibrationLosses MaskRcnn::calibration_losses(Context& ctx, const ImageBatch& images, const TruthBatch& truth,
                                               const Tensor& drawn_for, const StepKey& key) {
  check_box_set("calibration: ground truth", truth.boxes);
  Features features;
  BoxSet proposals;
  {
    const NoGrad no_grad(ctx);
    features = run_backbone(ctx, images, false);
    proposals = proposals_of(ctx, features, images, options_.train_proposals);
  }
  CalibrationLosses out;
  out.stages = heads_.calibration_losses(ctx, features.pyramid, {proposals, images, truth, drawn_for}, key);
  for (const Variable& loss : out.stages) out.total = out.total.defined() ? add(ctx, out.total, loss) : loss;
  return out;
}

BoxSet MaskRcnn::propose(Context& ctx, const ImageBatch& images) {
  const NoGrad no_grad(ctx);
  return proposals_of(ctx, run_backbone(ctx, images, false), images, options_.test_proposals);
}

Prediction MaskRcnn::predict(Context& ctx, const ImageBatch& images, const ScoreChange& change,
                             CandidateChunks chunks) {
  const NoGrad no_grad(ctx);
  const Features features = run_backbone(ctx, images, false);
  return heads_.predict(ctx, features.pyramid, proposals_of(ctx, features, images, options_.test_proposals), images,
                        change, chunks);
}

}  // namespace tailseg
