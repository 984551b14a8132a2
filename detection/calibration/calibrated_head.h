// A second classifier beside a finished detector's: the only thing that calibration trains (SimCal, ECCV 2020, section
// 4.2; Kang et al., ICLR 2020; METHODS 4.2 to 4.4). It has its own classification loss, with its own width, state and
// activation; the detector's head, which also moves the boxes, is not touched.
//
//   head            from pooled 7x7 features to logits                      begins
//   fc2_rand        FC width, ReLU, FC                                      at random (PyTorch's default)
//   fc3_rand        FC width, ReLU, FC width, ReLU, FC                      at random
//   fc3_ft          the same                                                as the detector's three layers
//   fc2_ncm         the detector's two FCs, then nearest class mean         class_means.h; nothing is trained
//   classifier      the detector's two FCs, then one FC                     at random, as the loss or the box head says
//   classifier_ft   the same                                                as the detector's classifier
//   class_scale     the detector's logits, one factor a column              at 1; class_scale.h
//   tau             the detector's classifier with scaled rows              tau_normalisation.h; nothing is trained
//
// "As the detector's classifier" means row by row: where both losses lay their logits out alike, all rows; else the
// classes' rows, while what only the new loss has (objectness, "others") begins at random.
//
// Names below roi_heads.box_predictor (of a cascade's stage s, box_predictor.s): calibrated.fc6, .fc7, .cls_score,
// .class_means, .scale and .loss.
#pragma once

#include "detection/box_head.h"
#include "detection/calibration/class_means.h"
#include "detection/calibration/dual_scores.h"

namespace tailseg {

enum class CalibratedKind : unsigned char {
  fc2_rand,
  fc3_rand,
  fc3_ft,
  fc2_ncm,
  classifier,
  classifier_ft,
  class_scale,
  tau
};

struct CalibrationOptions {
  CalibratedKind head = CalibratedKind::fc3_ft;
  LossSettings loss;
  std::optional<NormalizedOptions> normalized{};  // the head's last layer (not with class_scale)
  double tau = 1;
  ClassMeansOptions means;
  bool drawn_class_only = true;  // proposals of the class that a photo was drawn for, and as many of the background
                                 // (class_proposals.h); else all that the detector would be trained on
  DualOptions dual;
};

// Whether a tensor of a model, by its name, is part of a calibrated head.
bool is_calibrated(const std::string& name);

// What a head is given of R RoIs.
struct RoiFeatures {
  Variable pooled;    // [R, 7, 7, C]
  Variable features;  // [R, width] of the detector's box head; undefined for a head that does not want them
};

class CalibratedHead {
 public:
  // `scope`: roi_heads. `detector`: the box head that it stands beside. Throws Error for a head and a loss that do not
  // go together.
  CalibratedHead(const Scope& scope, int64_t channels, const BoxHead& detector, const CalibrationOptions& options);

  // Takes over what begins as the detector's. Once, before the first step, when the detector's weights are loaded.
  void begin(Context& ctx, const BoxHead& detector) const;

  // Throws Error when learning cannot begin: ClassLoss::check_ready, and class means of a class without instances.
  void check_ready(Context& ctx) const;

  bool wants_features() const;  // RoiFeatures::features, the detector's two FCs
  Variable logits(Context& ctx, const BoxHead& detector, const RoiFeatures& rois) const;  // [R, loss().width()]
  ClassLoss& loss() const { return *loss_; }
  const ClassMeans* means() const { return means_ ? &*means_ : nullptr; }

 private:
  void copy_classifier(Context& ctx, const BoxHead& detector) const;

  CalibrationOptions options_;
  BoxHeadOptions box_;
  std::shared_ptr<ClassLoss> loss_;
  Linear fc6_, fc7_, cls_score_;
  Variable scale_;  // [width]
  std::optional<ClassMeans> means_;
};

}  // namespace tailseg
