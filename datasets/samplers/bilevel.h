// Bi-level sampling (Wang et al., "The devil is in classification" = SimCal, ECCV 2020, section 4.1; METHODS 3.4): the
// photos that a calibration step sees. Both levels draw with replacement:
//
//   1. classes, p_c proportional to min(n_c, cap)^power over the classes with photos. The released code has power 0,
//      thus uniform, whatever the cap (100).
//   2. for each drawn class, `per_class` of its photos, uniformly: 1 in batches of 16, 2 in batches of 32.
//
// The third level, proposals of the drawn class and as many of the background, is detection/class_proposals.h. A bug of
// the released code at 2 photos a class, which tells some photos another class than they were drawn for, is not
// repeated here.
//
// Probabilities are whole numbers of tickets, so that every device draws the same.
#pragma once

#include "datasets/samplers/class_balanced.h"

namespace tailseg {

struct BilevelOptions {
  int64_t classes_per_batch = 16, per_class = 1;
  int64_t cap = 100;
  double power = 0;
};

// [C] int64: 2^30 tickets for the largest weight, at least 1 for a class with photos, 0 for one without.
Tensor class_tickets(Context& ctx, const ClassIndex& index, const BilevelOptions& options);

// The draws of batches first_batch .. first_batch + batches - 1, numbered through all epochs: [batches *
// classes_per_batch, 1 + per_class] int64 in 0 .. 2^53 - 1; the first of a row picks the class, the others its photos.
Tensor bilevel_words(Context& ctx, const BilevelOptions& options, int64_t first_batch, int64_t batches, uint64_t seed);

// words [D, 1 + per_class] as above -> [D * per_class], the photos of one class next to each other. tickets as above,
// at least one in all (waits for the device).
ClassDraws bilevel_draws(Context& ctx, const ClassIndex& index, const Tensor& tickets, const Tensor& words);

}  // namespace tailseg
