// The box head: two fully connected layers over the pooled 7x7 features, then class logits and box deltas; and the
// classification loss, which says how many logits there are, how their layer begins, and what scores they make.
// Names: box_head.fc6, box_head.fc7, box_predictor.cls_score, box_predictor.bbox_pred, and box_predictor.loss and
// .memory for the loss's state; of a cascade's stage s box_head.s.fc6, box_predictor.s.cls_score and so on. Rows of
// cls_score: the C classes first, then what the loss adds (background last with softmax); bbox_pred has 4 rows a class
// (no background), 4 in all when class-agnostic, or 4 for each set of filters (filter_map.h). The classifier is linear,
// or normalised (autograd/normalized_linear.h); both have the same parameters. A normalised one knows its weights'
// directions only: where the loss begins with equal weights (GOL's 0.001), which would all be one direction and give
// every class the same large logit, it takes Normal(0, 0.01) (METHODS 2.1), and the loss's bias.
#pragma once

#include <optional>
#include <string>

#include "autograd/normalized_linear.h"
#include "detection/filter_map.h"
#include "nn/layers.h"

namespace tailseg {

struct BoxHeadOptions {
  int64_t classes = 80;
  int64_t pooled = 7;    // RoIAlign output size
  int64_t width = 1024;  // of both layers
  bool class_agnostic = false;
  int64_t agnostic_below = 0;                     // FilterSharing: the classes of the tail share their box filters
  bool agnostic_by_instances = false;             // counted in instances, not in images
  std::optional<NormalizedOptions> normalized{};  // the classifier
  std::string stage{};                            // ".s" in a cascade: see the names above
  bool pytorch_init = false;  // METHODS 5.4: all four layers as PyTorch's Linear default (torchvision)
  LossSettings loss;
  ClassStatistics statistics;  // of the training set, for losses that ask; empty: they can score but not train
};

// How the classifier's weights begin: as the loss says, or as above. Throws Error for a normalised one without length.
Initializer classifier_weights(const LastLayerInit& init, bool normalized);

class BoxHead {
 public:
  BoxHead(const Scope& scope, int64_t channels, const BoxHeadOptions& options);

  // pooled [R, 7, 7, C] -> features [R, width].
  Variable features(Context& ctx, const Variable& pooled) const;
  Variable class_logits(Context& ctx, const Variable& features) const;  // [R, loss().width()]
  // Of every set of filters, [R, 4 * sets]; and for label [R] int32 only of each row's own, [R, 4], zeros
  // for background and unused rows.
  Variable all_deltas(Context& ctx, const Variable& features) const;
  Variable deltas(Context& ctx, const Variable& features, const Tensor& label) const;
  const Tensor& filter_of() const { return filter_of_; }  // [classes] int32, undefined unless the tail shares filters
  ClassLoss& loss() const { return *loss_; }
  const FeatureMemory* memory() const { return memory_.get(); }  // of pooled features, for a loss that wants one
  const BoxHeadOptions& options() const { return options_; }
  const Linear& fc6() const { return fc6_; }
  const Linear& fc7() const { return fc7_; }
  const Linear& classifier() const { return cls_score_; }

 private:
  BoxHeadOptions options_;
  std::shared_ptr<ClassLoss> loss_;
  std::shared_ptr<FeatureMemory> memory_;
  Tensor filter_of_;
  Linear fc6_, fc7_, cls_score_, bbox_pred_;
};

}  // namespace tailseg
