// Class-balanced sampling: every class is drawn equally often, however few photos it has (METHODS 3.3).
//
// The classes that have photos go round in a cycle, shuffled anew each time round. A visit to a class takes the next
// `per_class` photos of the class's own list, which is shuffled anew each time it is used up:
//
//   draw d:  visit v = d / per_class,  cycle k = v / K,  class = cycle_k[v % K]
//            place in the class's own stream m = k per_class + d % per_class,  photo = list_{m / n_c}[m % n_c]
//
// Every cycle visits every class once, so m is known without having lived through the draws before d: any epoch can be
// asked for. per_class 4 is the ImageNet-LT sampler of Kang et al., "Decoupling representation and classifier" (ICLR
// 2020; an epoch there has max_c n_c draws for each class), 1 is the detection cRT of the EQL v2 repository (one list
// of 75,000 x 16).
#pragma once

#include "datasets/samplers/class_index.h"
#include "tensor/philox.h"

namespace tailseg {

struct ClassDraws {
  Tensor photos;  // [L] int32
  Tensor labels;  // [L] int32: the class that each was drawn for
};

// The draws first .. first + count - 1. `classes` [K] int32: those with a photo. Waits for the device.
ClassDraws class_balanced_draws(Context& ctx, const ClassIndex& index, const Tensor& classes, int64_t per_class,
                                int64_t first, int64_t count, uint64_t seed);

}  // namespace tailseg
