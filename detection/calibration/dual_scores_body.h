#pragma once

#include "tensor/body.h"

namespace tailseg {

// One item = one RoI; lanes walk the classes. A share of 0 or 1 takes one of the two scores bit by bit.
template <class Real>
struct DualScores {
  static constexpr const char* name = "dual_scores";
  static constexpr Lanes lanes = Lanes::warp;
  const Real* original;    // [R, C]
  const Real* calibrated;  // [R, C]
  const float* shares;     // [C]
  Real* scores;            // [R, C]
  int64_t classes;

  template <class Group>
  TS_HD void operator()(Group group, int64_t row) const {
    for (int64_t c = group.rank(); c < classes; c += group.size()) {
      const int64_t at = row * classes + c;
      const Real share = Real(shares[c]);
      scores[at] = share * calibrated[at] + (Real(1) - share) * original[at];
    }
  }
  Cost cost(int64_t rows) const { return {3.0 * sizeof(Real) * double(rows * classes), 4.0 * double(rows * classes)}; }
};

}  // namespace tailseg
