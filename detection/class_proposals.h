// The proposals that a calibration step learns from: bi-level sampling's third level (Wang et al., SimCal, ECCV 2020,
// section 4.1; METHODS 4.2, steps 3 and 4). Photo n was drawn for class d_n (datasets/samplers/bilevel.h):
//
//   kept positives   rows of photo n whose label is d_n; positives of other classes are discarded
//   kept negatives   of the background rows of all photos together, as many as kept positives, at random without
//                    replacement (all of them when there are fewer)
//
// A row is one sampled RoI of one photo, numbered n * S + s through the batch. The result has a fixed capacity; unused
// rows are -1. Every row gets a key and the largest win, as in sampler.h.
#pragma once

#include "detection/sampler.h"

namespace tailseg {

struct ClassProposals {
  Tensor rows;   // [K] int32 into the N * S rows: positives in order, then negatives, then -1
  Tensor label;  // [K] int32: the row's class, the background label, -1 unused
  Tensor count;  // [2] int32: kept positives, kept rows in all

  int64_t capacity() const { return rows.size(0); }
};

// label [N, S] int32 as roi_targets has it (background `background_label`, unused -1); drawn_for [N] int32, -1 for a
// photo that was drawn for no class (it gives negatives only). most_positives: of one photo, at most that many rows
// have a class (the RoI sampler's share), so that K = 2 N most_positives. draws: key, step and first_image as in
// subsample; keys [N, S] are used for the background rows.
ClassProposals class_proposals(Context& ctx, const Tensor& label, const Tensor& drawn_for, int64_t background_label,
                               int64_t most_positives, const SamplerDraws& draws);

}  // namespace tailseg
