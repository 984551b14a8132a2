// The greedy matching of one image's detections of one category to its ground truths (METHODS 8.1, steps 5 to 7).
//
// For each IoU threshold, detections take ground truths in order of score: the best free one whose IoU reaches the
// threshold, among equals the later, and one that counts before one that is ignored. Crowds can be taken again and
// again. A detection that took an ignored ground truth is ignored, and so is a free one whose own area is outside the
// range or whose category is not annotated exhaustively in the image.
#pragma once

#include <span>
#include <vector>

#include "datasets/evaluation/protocol.h"

namespace tailseg {

struct Truth {
  double area;
  bool crowd;    // COCO only
  bool ignore;   // in every area range
  bool id_zero;  // the published evaluators store a match as the ground truth's id: id 0 reads as "no match"
};

// One bit for each threshold.
struct Outcome {
  uint16_t matched = 0, ignored = 0;
};

class Matcher {
 public:
  // iou [D, G] with detections by descending score and truths in file order; out [D] is written.
  // detection_area [D]; all_ignorable: free detections are ignored (category not exhaustively annotated).
  // Returns how many truths count in this range.
  int64_t match(std::span<const double> iou, std::span<const Truth> truths, std::span<const double> detection_area,
                bool all_ignorable, const AreaRange& range, std::span<Outcome> out);

 private:
  std::vector<int> order_;       // truths, those that count first
  std::vector<uint16_t> taken_;  // [G] a bit for each threshold
};

}  // namespace tailseg
