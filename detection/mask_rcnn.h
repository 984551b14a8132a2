// Mask R-CNN with a feature pyramid (He et al. 2017), put together from the rooms' parts:
//
//   photo -> ResNet C2..C5 -> FPN P2..P6 -> RPN: objectness and offsets of every anchor
//         -> proposals -> sampled RoIs -> RoIAlign 7x7   -> box head: class logits, offsets of the class's box
//                                      -> RoIAlign 14x14 -> mask head: M x M logits of the class
//
// Training sums five losses; prediction turns scores into detections and their masks. Every point on which the
// references differ is an option (mask_rcnn_options.h). What follows the proposals is in roi_heads.h: one stage, or
// with options.cascade several, which makes it Cascade Mask R-CNN (cascade.h).
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "detection/roi_heads.h"
#include "detection/rpn_head.h"

namespace tailseg {

struct MaskRcnnLosses {
  Variable total;                    // weighted
  Variable rpn_objectness, rpn_box;  // [1] each, without the weights
  std::vector<StageLosses> stages;   // likewise; one without a cascade
  // Under detectron2's names; in a cascade those of stage s end in _stage<s> (and so does the mask's where every stage
  // has one).
  std::vector<std::pair<std::string, Variable>> parts() const;
};

struct CalibrationLosses {
  Variable total;                // the stages' together; asks for no gradient where nothing is trained
  std::vector<Variable> stages;  // [1] each
  std::vector<std::pair<std::string, Variable>> parts() const;  // named as MaskRcnnLosses::parts
};

class MaskRcnn {
 public:
  // Registers parameters under torchvision's names and freezes what the options freeze; the store is left to the caller
  // to consolidate.
  MaskRcnn(ParameterStore& store, const MaskRcnnOptions& options);

  const MaskRcnnOptions& options() const { return options_; }
  size_t stages() const { return heads_.stages(); }
  ClassLoss& class_loss(size_t stage = 0) const { return heads_.box_head(stage).loss(); }
  // With options.watch_class_gradients, of the last stage; else null.
  const ClassGradients* class_gradients() const { return heads_.class_gradients(); }
  // Throws Error when a stage's loss cannot begin to train (ClassLoss::check_ready).
  void check_ready(Context& ctx) const;
  MaskRcnnLosses losses(Context& ctx, const ImageBatch& images, const TruthBatch& truth, const StepKey& key);
  Prediction predict(Context& ctx, const ImageBatch& images, const ScoreChange& change = {},
                     CandidateChunks chunks = CandidateChunks::all);

  // With options.calibration: the detector is frozen whole and in evaluation mode, statistics of batch norms too.
  // begin_calibration once, when the detector's weights are loaded; drawn_for [N] int32 as in CalibrationInput.
  void begin_calibration(Context& ctx) const;
  void check_ready_to_calibrate(Context& ctx) const;
  CalibrationLosses calibration_losses(Context& ctx, const ImageBatch& images, const TruthBatch& truth,
                                       const Tensor& drawn_for, const StepKey& key);

  // The calibrated head's share in each class's score, [C] float32 (undefined without one), and its loss.
  const Tensor& calibrated_shares() const { return heads_.calibrated_shares(); }
  const ClassLoss& calibrated_loss(size_t stage = 0) const { return heads_.calibrated(stage).loss(); }

  // Proposals alone, at test settings (proposal recall).
  BoxSet propose(Context& ctx, const ImageBatch& images);

 private:
  struct Features {
    std::vector<Variable> pyramid;  // P2..P6
    std::vector<Variable> rpn;      // packed, one a level
    AnchorSet anchors;
  };
  Features run_backbone(Context& ctx, const ImageBatch& images, bool training);
  AnchorSet anchors_for(Context& ctx, const Features& features, const ImageBatch& images);
  BoxSet proposals_of(Context& ctx, const Features& features, const ImageBatch& images, const ProposalOptions& options);
  RpnLoss rpn_losses(Context& ctx, const Features& features, const ImageBatch& images, const TruthBatch& truth,
                     const StepKey& key);

  MaskRcnnOptions options_;
  ResNet backbone_;
  Fpn fpn_;
  RpnHead rpn_;
  RoiHeads heads_;
  std::vector<std::pair<std::string, AnchorSet>> anchor_cache_;  // by padded size; a few entries
};

}  // namespace tailseg
