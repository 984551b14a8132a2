// From class scores and box deltas of the proposals to the detections of each photo (METHODS 5.5).
//
// Every (proposal, class) pair above the threshold is a candidate: with 1203 classes and 1000 proposals that is up to
// 1.2 million. Per-class suppression and then the best max_detections is the same as walking all candidates from the
// best score down, suppressing within a class, and stopping at the max_detections-th survivor: a pair can only be
// suppressed by a better one. So the candidates are taken in chunks of the best few thousand that are left, each
// against itself and the survivors so far; one chunk is nearly always enough, and memory never depends on how many
// there are. Ties: lower proposal, then lower class, first.
#pragma once

#include "detection/box_coder.h"
#include "detection/box_set.h"

namespace tailseg {

// Which candidates are looked at: all that may become detections, or the first chunk alone, which needs no look by the
// host in between.
enum class CandidateChunks : unsigned char { all, first };

struct PostprocessOptions {
  double score_threshold = 0.05;  // strictly above
  double nms_threshold = 0.5;
  int64_t max_detections = 100;
  double smallest_side = 0;  // boxes narrower or lower than this are dropped (torchvision 0.01)
  int64_t chunk = 4096;      // candidates taken at a time; any number gives the same detections
  CandidateChunks chunks = CandidateChunks::all;
  bool rescale_before_nms = true;  // mmdet; else suppression works in the network's frame
  bool drop_empty = false;         // detectron2: clips to the photo and drops what has no area left
  BoxCoderOptions coder = {.weights = {10, 10, 5, 5}};
};

struct PostprocessInput {
  Tensor scores;            // [N * P, C] probabilities without the background column
  Tensor deltas;            // [N * P, 4 * C], [N * P, 4] class-agnostic, or [N * P, 4 * sets] with filter_of
  const BoxSet* proposals;  // [N, P], network frame
  Tensor image_sizes;       // [N, 2] int32: height and width in the network's frame, without padding
  Tensor photo_sizes;       // [N, 2] int32: height and width of the photo; equal sizes: no rescaling
  Tensor filter_of = {};    // [C] int32: which four of the deltas are a class's (filter_map.h), or undefined
};

struct BatchDetections {
  BoxSet photo;          // [N, D]: boxes in the photo's frame, scores, labels, best first
  Tensor network_boxes;  // [N, D, 4]: the same in the network's frame, for the mask head
  Tensor unfinished;     // [N] int32: 1 where later chunks may hold more; undefined: they cannot
};

// With CandidateChunks::all it waits for the device once a chunk of candidates: prediction, not training. Pairs whose
// score or box is not finite are dropped.
BatchDetections postprocess(Context& ctx, const PostprocessInput& input, const PostprocessOptions& options);

}  // namespace tailseg
