// From proposals to losses or detections: the heads that see RoIs. Mask R-CNN has one stage, Cascade Mask R-CNN several
// in a row (cascade.h); a stage samples RoIs, and has a box head and mostly a mask head.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "detection/batch.h"
#include "detection/class_gradients.h"
#include "detection/mask_rcnn_options.h"

namespace tailseg {

struct StageLosses {
  Variable box_class, box_delta;  // [1] each, without weights
  Variable mask;                  // likewise; undefined where the stage has no mask head
  Tensor box_counts;              // [2] int32: sampled RoIs, and how many of them the class logits got right
};

// What a calibration step learns from: everything but the class that each photo was drawn for is as in training.
struct CalibrationInput {
  const BoxSet& proposals;  // of training
  const ImageBatch& images;
  const TruthBatch& truth;
  const Tensor& drawn_for;  // [N] int32, -1 for a photo that was drawn for no class
};

// Sees the scores [N * P, C] of these proposals (of a cascade's last stage), and says what to use in their place.
using ScoreChange = std::function<Tensor(const BoxSet& proposals, const Tensor& scores)>;

class RoiHeads {
 public:
  // Registers parameters; `options` as MaskRcnn has completed them.
  RoiHeads(const Scope& scope, int64_t channels, const MaskRcnnOptions& options);

  size_t stages() const { return stages_.size(); }
  double loss_weight(size_t stage) const { return stages_.at(stage).loss_weight; }
  const BoxHead& box_head(size_t stage) const { return stages_.at(stage).box; }
  const ClassGradients* class_gradients() const { return class_gradients_ ? &*class_gradients_ : nullptr; }

  // pyramid P2, P3, ..; proposals [N, P] for training or for prediction.
  std::vector<StageLosses> losses(Context& ctx, const std::vector<Variable>& pyramid, const BoxSet& proposals,
                                  const ImageBatch& images, const TruthBatch& truth, const StepKey& key);
  Prediction predict(Context& ctx, const std::vector<Variable>& pyramid, const BoxSet& proposals,
                     const ImageBatch& images, const ScoreChange& change = {},
                     CandidateChunks chunks = CandidateChunks::all);

  // With options.calibration (calibration/roi_heads_calibration.cpp): what begins as the detector's, once; and the
  // classification loss of each stage's calibrated head, [1] each. Nothing but that head is recorded on the tape.
  void begin_calibration(Context& ctx) const;
  const CalibratedHead& calibrated(size_t stage) const;
  const Tensor& calibrated_shares() const { return calibrated_shares_; }
  std::vector<Variable> calibration_losses(Context& ctx, const std::vector<Variable>& pyramid,
                                           const CalibrationInput& input, const StepKey& key) const;

 private:
  struct Stage {
    MatcherOptions matcher;
    SamplerOptions sampler;
    BoxCoderOptions coder;
    TruthPlace truth_place;
    RandomKey sample, memory, jitter, calibration;  // of the draws; seeds not yet set
    double loss_weight;
    BoxHead box;
    std::optional<MaskHead> mask;
    std::optional<CalibratedHead> calibrated;
  };
  struct BoxRows {  // what a box head learns from, row by row
    Variable pooled;
    Tensor label, deltas, objects;
  };
  // What the box head of a stage made of its RoIs.
  struct BoxOutput {
    Tensor rows;     // [K] of the sample's RoIs
    Tensor offsets;  // [K, 4]
  };
  struct Scored {
    BoxSet proposals;       // of the last stage
    Tensor scores, deltas;  // [N * P, C], [N * P, 4 * sets]
  };
  void add_stage(const Scope& scope, int64_t channels, const std::string& name);
  RoiTargets sample(Context& ctx, const Stage& stage, const BoxSet& proposals, const TruthBatch& truth,
                    const StepKey& key) const;
  BoxOutput box_losses(Context& ctx, const Stage& stage, const std::vector<Variable>& pyramid, const RoiTargets& rois,
                       const StepKey& key, StageLosses& out) const;
  void add_remembered(Context& ctx, const Stage& stage, BoxRows& rows, const StepKey& key) const;
  void remember(Context& ctx, const Stage& stage, const std::vector<Variable>& pyramid, const ImageBatch& images,
                const TruthBatch& truth, const StepKey& key) const;
  Variable mask_loss(Context& ctx, const Stage& stage, const std::vector<Variable>& pyramid, const ImageBatch& images,
                     const TruthBatch& truth, const RoiTargets& rois) const;
  Variable pool(Context& ctx, const std::vector<Variable>& pyramid, const Tensor& boxes, const Tensor& image,
                const RoiAlignOptions& options) const;
  // The sample's boxes, moved by what the stage's box head made of them.
  BoxSet refined(Context& ctx, const Stage& stage, const RoiTargets& rois, const BoxSet& proposals,
                 const ImageBatch& images, const TruthBatch& truth, const BoxOutput& seen) const;
  Variable calibration_loss(Context& ctx, const Stage& stage, const std::vector<Variable>& pyramid,
                            const RoiTargets& rois, const CalibrationInput& input, const StepKey& key) const;
  BoxOutput box_offsets(Context& ctx, const Stage& stage, const std::vector<Variable>& pyramid,
                        const RoiTargets& rois) const;
  Scored score(Context& ctx, const std::vector<Variable>& pyramid, const BoxSet& proposals,
               const ImageBatch& images) const;
  Tensor masks(Context& ctx, const std::vector<Variable>& pyramid, const BatchDetections& detections) const;

  MaskRcnnOptions options_;
  std::vector<Stage> stages_;
  std::optional<ClassGradients> class_gradients_;  // of the last stage
  Tensor calibrated_shares_;                       // [C] float32; undefined without a calibrated head
};

}  // namespace tailseg
