// Which detections and ground truths take part, sorted by category, image and score.
#pragma once

#include "datasets/evaluation/evaluate.h"

namespace tailseg {

struct Selection {
  Lists<int32_t> detections;        // label -> rows of Detections: by image id, then descending score, then file order
  Lists<int32_t> truths;            // label -> annotations: by image id, then file order
  std::vector<int32_t> image_rank;  // image -> its place by ascending id
  bool area_from_box = false;       // a detection's area is its box's
};

Selection select(const AnnotationSet& set, const Detections& detections, const EvaluationOptions& options);

}  // namespace tailseg
