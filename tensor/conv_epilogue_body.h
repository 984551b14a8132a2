#pragma once

#include "tensor/body.h"
#include "tensor/pack.h"

namespace tailseg {

// One item = one pixel; lanes walk its packs of channels (contiguous).
template <class Scalar, int64_t kPack = 1>
struct ConvEpilogueBody {
  static constexpr const char* name = "conv_epilogue";
  static constexpr Lanes lanes = Lanes::warp;
  using Real = ComputeType<Scalar>;
  Scalar* y;               // [pixels, channels]
  const Real* bias;        // [channels] or null
  const Scalar* residual;  // as y or null
  int64_t channels;
  bool relu;

  template <class Group>
  TS_HD void operator()(Group group, int64_t pixel) const {
    for (int64_t c = group.rank() * kPack; c < channels; c += group.size() * kPack) {
      Scalar* mine = y + pixel * channels + c;
      Pack<Scalar, kPack> pack = read_pack<kPack>(mine, 0), other{};
      if (residual) other = read_pack<kPack>(residual + pixel * channels + c, 0);
      Pack<Real, kPack> added{};
      if (bias) added = read_pack<kPack>(bias + c, 0);
      for (int64_t v = 0; v < kPack; ++v) {
        Real value = Real(pack.at[v]);
        if (bias) value += added.at[v];
        if (residual) value += Real(other.at[v]);
        pack.at[v] = Scalar(relu ? math::max(value, Real(0)) : value);
      }
      write_pack<kPack>(mine, 0, pack);
    }
  }
  Cost cost(int64_t pixels) const {
    const double elements = double(pixels) * double(channels);
    return {sizeof(Scalar) * elements * (residual ? 3 : 2), 3 * elements};
  }
};

}  // namespace tailseg
