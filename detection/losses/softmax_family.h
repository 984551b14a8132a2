// What the losses over a softmax share inside their kernels: a row that is not in use, and the objectness branch.
#pragma once

#include "detection/losses/elementary.h"

namespace tailseg {

// A row with label -1: value, gradient and hit are 0.
template <class Group, class Scalar, class Real>
TS_HD inline void clear_loss_row(Group group, Scalar* gradient, int64_t columns, Real* value, int32_t* hit) {
  for (int64_t j = group.rank(); j < columns; j += group.size()) gradient[j] = Scalar(Real(0));
  if (group.rank() == 0) *value = Real(0);
  if (group.rank() == 0) *hit = 0;
}

// The objectness branch (METHODS 2.3): two more logits behind the C classes, foreground then background, and a softmax
// cross-entropy over the two. With d = foreground - background it is the binary cross-entropy of d:
//   value = -log sigmoid(+-d),   slope = d value / d foreground = -d value / d background.
template <class Real>
TS_HD inline ValueAndSlope<Real> objectness_at(Real foreground, Real background, bool is_foreground) {
  return binary_cross_entropy_at(foreground - background, is_foreground ? Real(1) : Real(0));
}

}  // namespace tailseg
