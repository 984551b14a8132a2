// How bodies whose lanes walk channels keep their sums: a lane of a GPU holds one channel, the CPU's only lane a run of
// them, so that the sums stay in registers or in the nearest cache and the loops over a run become vector instructions.
#pragma once

#include "tensor/body.h"

namespace tailseg {

template <class Group, int64_t kRun>
constexpr int64_t kChannelRun = Group::kSolo ? kRun : 1;

// sums += weight * x, for the first count of a run.
template <int64_t kRun, class Real, class Scalar>
TS_HD inline void add_scaled(Real* sums, Real weight, const Scalar* x, int64_t count) {
  if (count == kRun) {
    for (int64_t v = 0; v < kRun; ++v) sums[v] += weight * Real(x[v]);
  } else {
    for (int64_t v = 0; v < count; ++v) sums[v] += weight * Real(x[v]);
  }
}

}  // namespace tailseg
