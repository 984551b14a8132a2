// Mask R-CNN with a feature pyramid (He et al. 2017), put together from the rooms' parts:
//
//   photo -> ResNet C2..C5 -> FPN P2..P6 -> RPN: objectness and offsets of every anchor
//         -> proposals -> sampled RoIs -> RoIAlign 7x7   -> box head: class logits, offsets of the class's box
//                                      -> RoIAlign 14x14 -> mask head: M x M logits of the class
//
// Training sums five losses; prediction turns scores into detections and their masks. Every point on which the
// references differ is an option; mmdet() and torchvision() are the two complete presets (METHODS 5).
#pragma once

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "detection/anchors.h"
#include "detection/box_head.h"
#include "detection/fpn.h"
#include "detection/instance_masks.h"
#include "detection/level_assignment.h"
#include "detection/losses/rpn_loss.h"
#include "detection/mask_head.h"
#include "detection/mask_targets.h"
#include "detection/postprocess.h"
#include "detection/proposals.h"
#include "detection/roi_align.h"
#include "detection/rpn_head.h"
#include "detection/sampler.h"
#include "nn/resnet.h"

namespace tailseg {

struct MaskRcnnOptions {
  int64_t classes = 80;
  ResNetOptions backbone;
  FpnOptions fpn;

  AnchorOptions anchors;
  bool ignore_padding_anchors = true;  // METHODS 5.2 "anchors in padding"
  int64_t allowed_border = -1;
  MatcherOptions rpn_matcher;
  SamplerOptions rpn_sampler;
  BoxCoderOptions rpn_coder;
  RpnLossOptions rpn_loss;  // anchors_per_cell is filled in by the model
  ProposalOptions train_proposals;
  ProposalOptions test_proposals = {.per_level = 1000};

  TruthPlace truth_place = TruthPlace::first;
  MatcherOptions roi_matcher = {.positive = 0.5, .negative = 0.5, .low_quality_minimum = 0.5};
  SamplerOptions roi_sampler = {.total = 512, .positive_share = 0.25};
  BoxCoderOptions roi_coder = {.weights = {10, 10, 5, 5}};
  LevelRule level_rule = LevelRule::mmdet;
  RoiAlignOptions box_pool = {.output_size = 7};
  RoiAlignOptions mask_pool = {.output_size = 14};
  BoxHeadOptions box_head;    // classes is filled in by the model
  MaskHeadOptions mask_head;  // likewise
  double box_beta = 0;        // METHODS 5.3 "box loss": 0 is L1
  MaskTargetOptions mask_targets;
  bool mask_frame_is_padded = true;  // METHODS 5.3 "mask targets": bitmaps end with the padded batch, or the image

  double rpn_objectness_weight = 1, rpn_box_weight = 1, class_weight = 1, box_weight = 1, mask_weight = 1;
  PostprocessOptions postprocess;

  static MaskRcnnOptions mmdet(int64_t classes);
  static MaskRcnnOptions torchvision(int64_t classes);  // frozen batch norm, as with its pre-trained weights
};

struct ImageBatch {
  Tensor pixels;        // [N, H, W, 3] normalised, zero beyond each image
  Tensor sizes;         // [N, 2] int32: height, width of each image without padding
  Tensor padded_sizes;  // [N, 2] int32: each image padded on its own, before it was padded to the batch
  Tensor photo_sizes;   // [N, 2] int32: the photo before resizing (prediction only)
};

struct TruthBatch {
  BoxSet boxes;  // [N, G] with labels
  InstanceMasks masks;
};

// What a step of training must know besides its input, so that it can be repeated.
struct StepKey {
  uint64_t seed = 0;
  uint32_t step = 0;
};

struct MaskRcnnLosses {
  Variable total;                                                // weighted
  Variable rpn_objectness, rpn_box, box_class, box_delta, mask;  // [1] each, without the weights
  Tensor box_counts;  // [2] int32: sampled RoIs, and how many of them the class logits got right
  std::array<std::pair<const char*, Variable>, 5> parts() const;  // under detectron2's names
};

struct Prediction {
  BatchDetections detections;  // [N, D]
  Tensor masks;                // [N * D, M, M] float32 probabilities of each detection's own class
};

class MaskRcnn {
 public:
  // Registers parameters under torchvision's names and freezes what the options freeze; the store is left to the caller
  // to consolidate.
  MaskRcnn(ParameterStore& store, const MaskRcnnOptions& options);

  const MaskRcnnOptions& options() const { return options_; }
  ClassLoss& class_loss() const { return box_head_.loss(); }
  MaskRcnnLosses losses(Context& ctx, const ImageBatch& images, const TruthBatch& truth, const StepKey& key);
  Prediction predict(Context& ctx, const ImageBatch& images);
  // Proposals alone, at test settings (proposal recall).
  BoxSet propose(Context& ctx, const ImageBatch& images);

 private:
  struct Features {
    std::vector<Variable> pyramid;  // P2..P6
    std::vector<Variable> rpn;      // packed, one a level
    AnchorSet anchors;
  };
  Features run_backbone(Context& ctx, const ImageBatch& images, bool training);
  const AnchorSet& anchors_for(Context& ctx, const Features& features, const ImageBatch& images);
  BoxSet proposals_of(Context& ctx, const Features& features, const ImageBatch& images, const ProposalOptions& options);
  RpnLoss rpn_losses(Context& ctx, const Features& features, const ImageBatch& images, const TruthBatch& truth,
                     const StepKey& key);
  RoiTargets sample_rois(Context& ctx, const BoxSet& proposals, const TruthBatch& truth, const StepKey& key);
  struct BoxRows {  // what the box head learns from, row by row
    Variable pooled;
    Tensor label, deltas, objects;
  };
  void box_losses(Context& ctx, const Features& features, const ImageBatch& images, const TruthBatch& truth,
                  const RoiTargets& rois, const StepKey& key, MaskRcnnLosses& out);
  void add_remembered(Context& ctx, BoxRows& rows, const StepKey& key) const;
  void remember(Context& ctx, const Features& features, const ImageBatch& images, const TruthBatch& truth,
                const StepKey& key);
  Variable mask_loss(Context& ctx, const Features& features, const ImageBatch& images, const TruthBatch& truth,
                     const RoiTargets& rois);
  Variable pool(Context& ctx, const Features& features, const Tensor& boxes, const Tensor& image,
                const RoiAlignOptions& options);

  MaskRcnnOptions options_;
  ResNet backbone_;
  Fpn fpn_;
  RpnHead rpn_;
  BoxHead box_head_;
  MaskHead mask_head_;
  std::vector<std::pair<std::string, AnchorSet>> anchor_cache_;  // by padded size; a few entries
};

}  // namespace tailseg
