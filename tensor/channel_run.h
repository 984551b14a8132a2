// How bodies whose lanes walk channels keep their sums: a lane of a GPU holds one pack of channels, the CPU's only lane
// a run of them, so that the sums stay in registers or in the nearest cache and the loops over a run become vector
// instructions.
#pragma once

#include "tensor/body.h"
#include "tensor/pack.h"

namespace tailseg {

template <class Group, int64_t kRun, int64_t kPack = 1>
constexpr int64_t kChannelRun = Group::kSolo ? kRun : kPack;

// The first count channels of a run, to be added to several sums. A run of one pack is read once, whole and aligned
// (dispatch_pack).
template <class Scalar, int64_t kRun, int64_t kPack>
class ChannelRun {
  using Real = ComputeType<Scalar>;

 public:
  TS_HD ChannelRun(const Scalar* x, int64_t count) : x_(x), count_(count) {
    if constexpr (kRun == kPack) {
      const Pack<Scalar, kPack> pack = read_pack<kPack>(x, 0);
      for (int64_t v = 0; v < kPack; ++v) pack_[v] = Real(pack.at[v]);
    }
  }
  // sums += weight * x
  TS_HD void add_to(Real* sums, Real weight) const {
    if constexpr (kRun == kPack) {
      for (int64_t v = 0; v < kPack; ++v) sums[v] += weight * pack_[v];
    } else if (count_ == kRun) {
      for (int64_t v = 0; v < kRun; ++v) sums[v] += weight * Real(x_[v]);
    } else {
      for (int64_t v = 0; v < count_; ++v) sums[v] += weight * Real(x_[v]);
    }
  }

 private:
  const Scalar* x_;
  int64_t count_;
  Real pack_[kPack];
};

// sums += weight * x, for the first count of a run.
template <int64_t kRun, int64_t kPack = 1, class Real, class Scalar>
TS_HD inline void add_scaled(Real* sums, Real weight, const Scalar* x, int64_t count) {
  ChannelRun<Scalar, kRun, kPack>(x, count).add_to(sums, weight);
}

// to = sums, rounded, for the first count of a run.
template <int64_t kRun, int64_t kPack = 1, class Real, class Scalar>
TS_HD inline void write_run(Scalar* to, const Real* sums, int64_t count) {
  if constexpr (kRun == kPack) {
    Pack<Scalar, kPack> pack;
    for (int64_t v = 0; v < kPack; ++v) pack.at[v] = Scalar(sums[v]);
    write_pack<kPack>(to, 0, pack);
  } else {
    for (int64_t v = 0; v < count; ++v) to[v] = Scalar(sums[v]);
  }
}

}  // namespace tailseg
