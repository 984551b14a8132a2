// Precision and recall of one category over all images (METHODS 8.1, steps 8 and 9).
//
// Over the detections by descending score: recall = TP / P, precision = TP / (TP + FP); precision is made
// non-increasing from the right and read off at recall 0, 0.01, ... 1 (0 beyond the last recall). AP is its mean.
// Both rise only at true positives, so only those are looked at.
#pragma once

#include <span>
#include <vector>

#include "datasets/evaluation/match.h"

namespace tailseg {

struct Curve {
  double ap = 0;      // mean precision over the recall levels
  double recall = 0;  // at the last detection
};

// outcomes in order of descending score; positives: ground truths that count (at least 1); t: the threshold.
// `scratch` is working memory.
Curve precision_recall(std::span<const Outcome> outcomes, int64_t positives, int t, std::vector<double>& scratch);

}  // namespace tailseg
