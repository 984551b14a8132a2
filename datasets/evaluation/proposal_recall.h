// Recall of class-agnostic proposals (METHODS 8.4).
//
// Of each image the K best proposals are kept. Then, again and again, the pair of free ground truth and free proposal
// with the largest IoU is taken, until either runs out. recall(t) = pairs with IoU >= t over ground truths; AR@K is its
// mean over t = 0.50, 0.55, ... 0.95. Crowd and ignored ground truths are left out.
#pragma once

#include "datasets/evaluation/evaluate.h"

namespace tailseg {

struct ProposalRecallOptions {
  std::vector<int> limits = {100, 300, 1000};  // K
  // false (mmdetection): every ground truth is in the denominator; true (detectron2): only those of images that have
  // at least one proposal.
  bool skip_images_without_proposals = false;
};

// "AR@100", "ARs@100", "ARm@100", "ARl@100", "AR@300", ...: -1 where there is no ground truth.
std::vector<Figure> proposal_recall(const AnnotationSet& set, const Detections& proposals,
                                    const ProposalRecallOptions& options);

}  // namespace tailseg
