// What the classifier is worth, told apart from proposals and boxes (SimCal's evaluation with ground-truth labels,
// Wang et al., ECCV 2020, section 3; METHODS gives no more of it).
//
// A box belongs to the ground truth that it overlaps most, if their IoU is at least 0.5: its true label. Over a split
// this gives, for each class, the share of its boxes whose highest class score is the true label's (accuracy), and in
// place of the scores ones that are right: 1 for the true label and 0 for the rest, 0 throughout for the background.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "apps/evaluate_results.h"
#include "datasets/loader_batch.h"
#include "detection/box_set.h"

namespace tailseg {

using Corners = std::array<double, 4>;  // x1, y1, x2, y2

// For each box the index of the ground truth it belongs to (the first of equals), -1 for background. Empty boxes and
// boxes that are not numbers belong to none.
std::vector<int32_t> owners(std::span<const Corners> boxes, std::span<const Corners> truth, double least_iou = 0.5);

class TrueLabels {
 public:
  // `labels`: the set's label for each of the model's, -1 for none.
  TrueLabels(const AnnotationSet& set, std::vector<int32_t> labels);

  // Judges the scores [N * P, C] of these boxes of a batch, and returns the right ones. Crowds and what evaluation
  // ignores are no ground truth here.
  Tensor operator()(Context& ctx, const Batch& batch, const BoxSet& boxes, const Tensor& scores);

  // By the set's labels: accuracy and matched_proposals.
  void add_to(ClassFacts& facts) const;

 private:
  const AnnotationSet& set_;
  std::vector<int32_t> labels_, model_label_;  // model -> set, set -> model
  std::vector<int64_t> matched_, right_;       // by the set's labels
};

}  // namespace tailseg
