// The COCO and LVIS evaluations, for boxes and masks: detections against an annotation file.
//
// The published evaluators build tables of image x category; nearly all cells are empty. Here detections and ground
// truths are sorted by category, then image, and each category is walked alone, several at a time on threads. The
// figures do not depend on the number of threads.
#pragma once

#include <string>
#include <vector>

#include "datasets/evaluation/detections.h"

namespace tailseg {

struct EvaluationOptions {
  Protocol protocol = Protocol::kCoco;
  IouType iou = IouType::kBox;
  int threads = 0;          // 0: as many as the machine has
  int max_per_image = 300;  // LVIS: detections kept of each image over all categories; -1: all

  // In mask evaluation the published evaluators take a detection's area from its box when the results have boxes, and
  // so sort it into small, medium and large; true takes the mask's area, as detectron2 does by removing the boxes.
  bool always_mask_area = false;

  // Train instances by label, -1 unknown; empty: what the annotation file's instance_count says.
  std::vector<int64_t> train_instances;
  std::array<int64_t, 3> bins = {10, 100, 1000};  // lower ends of AP2, AP3, AP4; COCO-LT: 20, 400, 8000
};

// One category's part; -1 where it has no ground truth in that area range.
struct CategoryResult {
  std::array<int64_t, kAreas> instances{};                   // ground truths that count
  std::array<std::array<double, kThresholds>, kAreas> ap{};  // mean precision over recall
  std::array<std::array<double, kThresholds>, kAreas> recall{};
  std::array<std::array<double, kThresholds>, 2> early_recall{};  // COCO, area all: kCocoEarlyLimits
  double mean_ap() const;                                         // over thresholds, area all
  double ap50() const { return ap[0][0]; }
};

struct Figure {
  std::string name;     // "AP", "APr", "AR@300", ...
  std::string caption;  // the published evaluators' line up to the "=", empty for figures they do not have
  double value;         // 0..1; -1: nothing to average
};

struct Evaluation {
  EvaluationOptions options;
  std::vector<CategoryResult> categories;        // by label
  std::vector<Figure> figures;                   // in the order of printing
  double figure(const std::string& name) const;  // Error: there is none of this name
};

// Errors: LVIS protocol on a file without LVIS's lists; mask evaluation of results or annotations that have no masks
// at all; a result whose mask is no RLE of its image's size.
Evaluation evaluate(const AnnotationSet& set, const Detections& detections, const EvaluationOptions& options);

// The averages over categories: summary.cpp.
std::vector<Figure> summarise(const AnnotationSet& set, const std::vector<CategoryResult>& categories,
                              const EvaluationOptions& options);

}  // namespace tailseg
