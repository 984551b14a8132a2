// A fixed number of anchors or proposals for the losses: at most a share of positives, filled up with negatives, each
// chosen uniformly without replacement (METHODS 5.2, 5.3).
//
// Every candidate gets a random key and the largest keys win, so that nothing is shuffled and no count is read back.
// A key is a pure function of seed, purpose, step, image and index (philox.h), or comes from a tensor, so that a test
// can replay any draw. Outputs have a fixed capacity S: positives first, then negatives, then unused rows.
#pragma once

#include <algorithm>

#include "detection/box_coder.h"
#include "detection/matcher.h"
#include "tensor/philox.h"

namespace tailseg {

struct SamplerOptions {
  int64_t total = 256;          // METHODS 5.2, 5.3 "sample": RPN 256, box heads 512
  double positive_share = 0.5;  // RPN 0.5, box heads 0.25
  bool take_all = false;        // nothing is subsampled: S is the number of candidates, in their order

  // Of a sample with so many rows.
  int64_t most_positives(int64_t rows) const {
    return take_all ? rows : std::min(rows, static_cast<int64_t>(static_cast<double>(total) * positive_share));
  }
};

struct SamplerDraws {
  RandomKey key;                  // seed and purpose
  uint32_t step = 0;              // iteration
  const Tensor* steps = nullptr;  // [1] int32 on the device, added to `step`: lets a captured step be replayed
  uint32_t first_image = 0;       // number of the batch's first image within the step
  const Tensor* keys = nullptr;   // [N, A] float32 in [0, 1): the draws themselves, larger wins; null: Philox
};

struct Sample {
  Tensor index;      // [N, S] int32 into the candidates, -1 unused
  Tensor positives;  // [N] int32: the rows before this one are positive
  Tensor count;      // [N] int32: the rows from here on are unused

  int64_t capacity() const { return index.size(1); }
};

Sample subsample(Context& ctx, const Matches& matches, const SamplerOptions& options, const SamplerDraws& draws);

// What the RPN's losses need.
struct AnchorTargets {
  Tensor index;      // [N, S] int32 anchor, -1 unused
  Tensor label;      // [N, S] int32: 1 object, 0 background, -1 unused
  Tensor deltas;     // [N, S, 4] offsets of the matched ground truth; 0 unless label is 1
  Tensor positives;  // [N] int32
  Tensor count;      // [N] int32
};

// anchors [A, 4]; truth as in the matching.
AnchorTargets anchor_targets(Context& ctx, const Sample& sample, const Matches& matches, const Tensor& anchors,
                             const BoxSet& truth, const BoxCoderOptions& coder);

// METHODS 5.3 "GT as proposals".
enum class TruthPlace : unsigned char {
  nowhere,
  first,  // mmdet, which matches the proposals alone (MatchInput::truth_leads)
  last    // detectron2 and torchvision, which match both
};

// Proposals and ground truth of each image in one set [N, P + G] (no scores, no labels).
BoxSet with_truth(Context& ctx, const BoxSet& proposals, const BoxSet& truth, TruthPlace place);

// What the box and mask heads need.
struct RoiTargets {
  Tensor boxes;      // [N, S, 4]; 0 where unused
  Tensor label;      // [N, S] int32: class of the matched ground truth, the background label, -1 unused
  Tensor truth;      // [N, S] int32 matched ground truth; -1 unless positive
  Tensor deltas;     // [N, S, 4]; 0 unless positive
  Tensor source;     // [N, S] int32 row of the candidates, -1 unused
  Tensor positives;  // [N] int32: positives come first
  Tensor count;      // [N] int32
};

// candidates [N, P] as they were matched; truth with labels.
RoiTargets roi_targets(Context& ctx, const Sample& sample, const Matches& matches, const BoxSet& candidates,
                       const BoxSet& truth, int64_t background_label, const BoxCoderOptions& coder);

}  // namespace tailseg
