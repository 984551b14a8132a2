#include "detection/mask_rcnn.h"

#include "autograd/arithmetic.h"
#include "detection/losses/binary_cross_entropy.h"
#include "detection/losses/smooth_l1.h"
#include "detection/losses/uniform_draws.h"
#include "detection/roi_rows.h"
#include "tensor/profiler.h"

namespace tailseg {
namespace {

constexpr size_t kPooledLevels = 4;  // P2..P5; P6 is never pooled
constexpr size_t kCachedAnchors = 64;
constexpr int64_t kObjectsAnImage = 1 << 16, kMostImages = 1 << 14;  // at most; they number the objects of a batch

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

// The padded batch's own size, for every image.
Tensor batch_frame(Context& ctx, const ImageBatch& images) {
  std::vector<int32_t> frame;
  for (int64_t n = 0; n < images.pixels.size(0); ++n) {
    frame.push_back(static_cast<int32_t>(images.pixels.size(1)));
    frame.push_back(static_cast<int32_t>(images.pixels.size(2)));
  }
  return Tensor::from(ctx, {images.pixels.size(0), 2}, frame);
}

Tensor flat_rows(const Tensor& x) {  // [N, S, ...] -> [N * S, ...]
  std::vector<int64_t> shape = x.shape().vector();
  shape[1] *= shape[0];
  shape.erase(shape.begin());
  return x.reshape(Shape(shape));
}

Tensor joined_rows(Context& ctx, const Tensor& a, const Tensor& b) {
  const int64_t rows = a.size(0), all = rows + b.size(0);
  const Tensor out = Tensor::empty(ctx, a.shape().with(0, all), a.dtype());
  out.slice(0, rows).copy_from(ctx, a);
  out.slice(rows, all).copy_from(ctx, b);
  return out;
}

}  // namespace

std::array<std::pair<const char*, Variable>, 5> MaskRcnnLosses::parts() const {
  return {{{"loss_cls", box_class},
           {"loss_box_reg", box_delta},
           {"loss_mask", mask},
           {"loss_rpn_cls", rpn_objectness},
           {"loss_rpn_loc", rpn_box}}};
}

MaskRcnn::MaskRcnn(ParameterStore& store, const MaskRcnnOptions& options)
    : options_(completed(options)),
      backbone_(Scope(store, "backbone.body"), options_.backbone),
      fpn_(Scope(store, "backbone.fpn"), backbone_.channels(), options_.fpn),
      rpn_(Scope(store, "rpn.head"), options_.fpn.channels, anchors_per_cell(options_.anchors)),
      box_head_(Scope(store, "roi_heads"), options_.fpn.channels, options_.box_head),
      mask_head_(Scope(store, "roi_heads"), options_.fpn.channels, options_.mask_head) {}

MaskRcnn::Features MaskRcnn::run_backbone(Context& ctx, const ImageBatch& images, bool training) {
  check_shape("Mask R-CNN: sizes", images.sizes, {images.pixels.size(0), 2});
  Features features;
  features.pyramid = fpn_(ctx, backbone_(ctx, Variable(images.pixels), training));
  features.rpn = rpn_(ctx, features.pyramid);
  features.anchors = anchors_for(ctx, features, images);
  return features;
}

const AnchorSet& MaskRcnn::anchors_for(Context& ctx, const Features& features, const ImageBatch& images) {
  const int64_t height = images.pixels.size(1), width = images.pixels.size(2);
  const std::string key = text(height, "x", width);
  for (const auto& [known, anchors] : anchor_cache_) {
    if (known == key) return anchors;
  }
  std::vector<LevelSize> sizes;
  for (const Variable& level : features.rpn) sizes.push_back({level.size(1), level.size(2)});
  if (anchor_cache_.size() >= kCachedAnchors) anchor_cache_.erase(anchor_cache_.begin());
  anchor_cache_.emplace_back(key, make_anchors(ctx, options_.anchors, height, width, sizes));
  return anchor_cache_.back().second;
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
  const Sample sample = subsample(ctx, matches, options_.rpn_sampler,
                                  {.key = {key.seed, random_purpose("rpn sample")}, .step = key.step});
  const AnchorTargets targets =
      anchor_targets(ctx, sample, matches, features.anchors.boxes, truth.boxes, options_.rpn_coder);
  return rpn_loss(ctx, features.rpn, {targets.index, targets.label, targets.deltas}, options_.rpn_loss);
}

RoiTargets MaskRcnn::sample_rois(Context& ctx, const BoxSet& proposals, const TruthBatch& truth, const StepKey& key) {
  SpanScope span(ctx, "sample_rois");
  const BoxSet candidates = with_truth(ctx, proposals, truth.boxes, options_.truth_place);
  const Matches matches = match_boxes(
      ctx, {.truth = &truth.boxes, .boxes = candidates.boxes, .count = &candidates.count}, options_.roi_matcher);
  const Sample sample = subsample(ctx, matches, options_.roi_sampler,
                                  {.key = {key.seed, random_purpose("roi sample")}, .step = key.step});
  return roi_targets(ctx, sample, matches, candidates, truth.boxes, options_.classes, options_.roi_coder);
}

Variable MaskRcnn::pool(Context& ctx, const Features& features, const Tensor& boxes, const Tensor& image,
                        const RoiAlignOptions& options) {
  const std::vector<Variable> levels(features.pyramid.begin(), features.pyramid.begin() + kPooledLevels);
  const Tensor level = assign_levels(ctx, boxes, static_cast<int64_t>(kPooledLevels), options_.level_rule);
  return roi_align(ctx, levels, {1.0 / 4, 1.0 / 8, 1.0 / 16, 1.0 / 32}, {boxes, image, level}, options);
}

// Rows of past steps behind those of this one (METHODS 1.14).
void MaskRcnn::add_remembered(Context& ctx, BoxRows& rows, const StepKey& key) const {
  const FeatureMemory& memory = *box_head_.memory();
  const Tensor draws =
      uniform_draws(ctx, {1, memory.draws()}, {{key.seed, random_purpose("feature memory")}, key.step, {}, {}});
  const MemoryRows past = memory.draw(ctx, box_head_.loss().running_scores(), draws.reshape({memory.draws()}));
  const int64_t count = past.labels.size(0);
  const Variable features(past.features.reshape(rows.pooled.shape().with(0, count)));
  rows.pooled = concat_rows(ctx, {rows.pooled, features});
  rows.label = joined_rows(ctx, rows.label, past.labels);
  rows.deltas = joined_rows(ctx, rows.deltas, past.deltas);
  const Tensor behind =
      Tensor::full(ctx, {count}, kMostImages, DType::int32);  // one object a class, none of the batch's
  rows.objects = joined_rows(ctx, rows.objects, object_of_row(ctx, behind, past.labels, kObjectsAnImage));
}

void MaskRcnn::remember(Context& ctx, const Features& features, const ImageBatch& images, const TruthBatch& truth,
                        const StepKey& key) {
  const NoGrad no_grad(ctx);
  const Tensor draws = uniform_draws(ctx, {truth.boxes.images(), 4 * kJitters},
                                     {{key.seed, random_purpose("feature memory boxes")}, key.step, {}, {}});
  const JitteredBoxes around = jittered_boxes(ctx, truth.boxes, images.sizes, draws);
  const Variable pooled = pool(ctx, features, around.boxes, around.image, options_.box_pool);
  box_head_.memory()->push(ctx, pooled.value(), around.labels,
                           encode_boxes(ctx, around.boxes, around.objects, options_.roi_coder));
}

void MaskRcnn::box_losses(Context& ctx, const Features& features, const ImageBatch& images, const TruthBatch& truth,
                          const RoiTargets& rois, const StepKey& key, MaskRcnnLosses& out) {
  const Tensor rows = rows_for_head(ctx, rois.label, options_.classes + 1, rois.label.size(1));
  const Tensor boxes = gather_rows(ctx, flat_rows(rois.boxes), rows);
  const Tensor image = gather_rows(ctx, image_by_label(ctx, rois.label), rows);
  ClassLoss& loss = box_head_.loss();
  BoxRows all{pool(ctx, features, boxes, image, options_.box_pool),
              gather_rows(ctx, flat_rows(rois.label), rows),
              gather_rows(ctx, flat_rows(rois.deltas), rows),
              {}};
  if (loss.wants_objects()) {
    all.objects = object_of_row(ctx, image, gather_rows(ctx, flat_rows(rois.truth), rows), kObjectsAnImage);
  }
  if (box_head_.memory()) add_remembered(ctx, all, key);

  const Variable x = box_head_.features(ctx, all.pooled);
  const Variable logits = box_head_.class_logits(ctx, x);
  const Variable offsets = box_head_.deltas(ctx, x, all.label);

  SpanScope span(ctx, "loss/box");
  const Tensor draws = loss.draws(ctx, logits.size(0), {key.seed, key.step, rows});
  const RowLoss classification = loss.loss(ctx, {logits, all.label, draws, {}, all.objects});
  out.box_class = classification.loss;
  out.box_counts = classification.counts;
  out.box_delta = box_loss(ctx, offsets, all.deltas, all.label, {options_.classes, options_.box_beta}).loss;
  if (box_head_.memory()) remember(ctx, features, images, truth, key);
}

Variable MaskRcnn::mask_loss(Context& ctx, const Features& features, const ImageBatch& images, const TruthBatch& truth,
                             const RoiTargets& rois) {
  const auto most_positives =
      static_cast<int64_t>(static_cast<double>(options_.roi_sampler.total) * options_.roi_sampler.positive_share);
  const int64_t capacity = options_.roi_sampler.take_all ? rois.label.size(1) : most_positives;
  const Tensor rows = rows_for_head(ctx, rois.label, options_.classes, capacity);
  const Tensor boxes = gather_rows(ctx, flat_rows(rois.boxes), rows);
  const Tensor label = foreground_labels(ctx, gather_rows(ctx, flat_rows(rois.label), rows), options_.classes);
  const Tensor image = gather_rows(ctx, image_by_label(ctx, rois.label), rows);
  const Tensor matched = gather_rows(ctx, flat_rows(rois.truth), rows);

  const Variable x = mask_head_.features(ctx, pool(ctx, features, boxes, image, options_.mask_pool));
  const Variable logits = mask_head_.logits(ctx, x, label);
  SpanScope span(ctx, "loss/mask");
  const MaskTargetInput input{boxes, image, matched,
                              options_.mask_frame_is_padded ? batch_frame(ctx, images) : images.sizes,
                              truth.boxes.capacity()};
  const Tensor targets = mask_targets(ctx, truth.masks, input, options_.mask_targets);
  return binary_cross_entropy(ctx, logits, targets, label).loss;
}

MaskRcnnLosses MaskRcnn::losses(Context& ctx, const ImageBatch& images, const TruthBatch& truth, const StepKey& key) {
  check_box_set("Mask R-CNN: ground truth", truth.boxes);
  const Features features = run_backbone(ctx, images, true);
  MaskRcnnLosses out;
  const RpnLoss rpn = rpn_losses(ctx, features, images, truth, key);
  out.rpn_objectness = rpn.objectness;
  out.rpn_box = rpn.box;
  const BoxSet proposals = proposals_of(ctx, features, images, options_.train_proposals);
  const RoiTargets rois = sample_rois(ctx, proposals, truth, key);
  box_losses(ctx, features, images, truth, rois, key, out);
  out.mask = mask_loss(ctx, features, images, truth, rois);

  auto weighted = [&](const Variable& loss, double weight) { return weight == 1 ? loss : scale(ctx, loss, weight); };
  out.total = add(ctx, weighted(out.rpn_objectness, options_.rpn_objectness_weight),
                  weighted(out.rpn_box, options_.rpn_box_weight));
  out.total = add(ctx, out.total, weighted(out.box_class, options_.class_weight));
  out.total = add(ctx, out.total, weighted(out.box_delta, options_.box_weight));
  out.total = add(ctx, out.total, weighted(out.mask, options_.mask_weight));
  return out;
}

BoxSet MaskRcnn::propose(Context& ctx, const ImageBatch& images) {
  const NoGrad no_grad(ctx);
  return proposals_of(ctx, run_backbone(ctx, images, false), images, options_.test_proposals);
}

Prediction MaskRcnn::predict(Context& ctx, const ImageBatch& images) {
  const NoGrad no_grad(ctx);
  const Features features = run_backbone(ctx, images, false);
  const BoxSet proposals = trimmed(ctx, proposals_of(ctx, features, images, options_.test_proposals));
  const Tensor image = image_by_count(ctx, proposals.count, proposals.capacity());
  const Variable x = box_head_.features(ctx, pool(ctx, features, flat_rows(proposals.boxes), image, options_.box_pool));
  const Tensor scores = box_head_.loss().scores(ctx, box_head_.class_logits(ctx, x).value());
  Prediction out;
  out.detections = postprocess(ctx,
                               {.scores = scores,
                                .deltas = box_head_.all_deltas(ctx, x).value(),
                                .proposals = &proposals,
                                .image_sizes = images.sizes,
                                .photo_sizes = images.photo_sizes,
                                .filter_of = box_head_.filter_of()},
                               options_.postprocess);

  BoxSet& photo = out.detections.photo;
  if (!ctx.device().is_cuda()) {  // no unused rows for the mask head
    const int64_t most = std::max<int64_t>(largest_count(ctx, photo.count), 1);
    out.detections.network_boxes = take_rows(ctx, out.detections.network_boxes, most);
    photo = trimmed(ctx, photo);
  }
  const Tensor owner = image_by_count(ctx, photo.count, photo.capacity());
  const Variable pooled = pool(ctx, features, flat_rows(out.detections.network_boxes), owner, options_.mask_pool);
  const Variable logits =
      mask_head_.logits(ctx, mask_head_.features(ctx, pooled), photo.labels.reshape({photo.labels.elements()}));
  out.masks = sigmoid(ctx, logits.value());
  return out;
}

}  // namespace tailseg
