// Dual-head inference (Wang et al., SimCal, ECCV 2020, section 4.3; METHODS 4.3): the detector's own classifier keeps
// the classes that it has seen often, the calibrated one takes those that it has seen rarely. For scores p of RoI r:
//
//   p_rc = a_c p^cal_rc + (1 - a_c) p^orig_rc
//   selection:  a_c = 1 where the class has n_c <= T training instances, else 0
//   averaging:  a_c = 1/2
//
// Both heads' scores come from their own losses' activations, and the result is not renormalised.
// Paper and code: the paper has T = 300 and n_c <= T, the released code n_c < T with T = 100 on LVIS and 400 on
// COCO-LT. The code's are the defaults; which of them made tables 3 and 4 is not known, table 5's AP3 fits T = 300.
#pragma once

#include "detection/losses/class_loss.h"

namespace tailseg {

enum class DualInference : unsigned char { original, select, average, calibrated };

struct DualOptions {
  DualInference inference = DualInference::select;
  int64_t threshold = 100;  // T, training instances
  bool strict = true;       // n_c < T, or n_c <= T
};

// [C] float32: the share a_c of the calibrated head in each class. Throws Error when selection does not know the
// instances of `classes` classes, or T is negative.
Tensor calibrated_shares(Context& ctx, const DualOptions& options, int64_t classes, const ClassStatistics& statistics);

// original, calibrated [R, C] scores, shares [C] -> [R, C].
Tensor dual_scores(Context& ctx, const Tensor& original, const Tensor& calibrated, const Tensor& shares);

}  // namespace tailseg
