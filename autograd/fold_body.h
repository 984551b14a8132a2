// Folding a per-channel scale into filters, and undoing it in the gradient.
#pragma once

#include "tensor/body.h"

namespace tailseg {

// One item = one filter; lanes walk its taps (contiguous). folded = scale[k] * w, rounded to Out.
template <class Scalar, class Out>
struct FoldScale {
  static constexpr const char* name = "fold_scale";
  static constexpr Lanes lanes = Lanes::block;
  const Scalar* w;      // [K, taps]
  const Scalar* scale;  // [K]
  Out* folded;          // [K, taps]
  int64_t taps;

  template <class Group>
  TS_HD void operator()(Group group, int64_t k) const {
    const Scalar s = scale[k];
    for (int64_t i = group.rank(); i < taps; i += group.size()) folded[k * taps + i] = Out(s * w[k * taps + i]);
  }
  Cost cost(int64_t filters) const {
    return {double(sizeof(Scalar) + sizeof(Out)) * filters * taps, 1.0 * filters * taps};
  }
};

// One item = one filter; lanes walk its taps. With d the gradient of the folded filters:
//   dscale[k] = sum of w * d,  dw = scale[k] * d (in place of d when dw is the same memory).
template <class Scalar>
struct FoldScaleBackward {
  static constexpr const char* name = "fold_scale_backward";
  static constexpr Lanes lanes = Lanes::block;
  const Scalar* w;        // [K, taps]
  const Scalar* scale;    // [K]
  const Scalar* dfolded;  // [K, taps]
  Scalar* dw;             // [K, taps] or null
  Scalar* dscale;         // [K] or null
  int64_t taps;

  template <class Group>
  TS_HD void operator()(Group group, int64_t k) const {
    const Scalar* d = dfolded + k * taps;
    if (dscale) {
      const Scalar total = sum_over<Scalar>(group, taps, [&](int64_t i) { return w[k * taps + i] * d[i]; });
      if (group.rank() == 0) dscale[k] = total;
    }
    if (dw) {
      const Scalar s = scale[k];
      for (int64_t i = group.rank(); i < taps; i += group.size()) dw[k * taps + i] = s * d[i];
    }
  }
  Cost cost(int64_t filters) const { return {3.0 * sizeof(Scalar) * filters * taps, 3.0 * filters * taps}; }
};

// One item = one channel: a frozen batch norm as scale and bias.
//   scale = gamma / sqrt(var + eps),  bias = beta - mean * scale
template <class Scalar>
struct FoldBatchNorm {
  static constexpr const char* name = "fold_batch_norm";
  static constexpr Lanes lanes = Lanes::one;
  const Scalar* gamma;
  const Scalar* beta;
  const Scalar* mean;
  const Scalar* var;
  Scalar* scale;
  Scalar* bias;
  double eps;

  template <class Group>
  TS_HD void operator()(Group, int64_t c) const {
    const Scalar s = gamma[c] / math::sqrt(var[c] + Scalar(eps));
    scale[c] = s;
    bias[c] = beta[c] - mean[c] * s;
  }
  Cost cost(int64_t n) const { return {6.0 * sizeof(Scalar) * n, 5.0 * n}; }
};

// dgamma = (dscale - mean * dbias) / sqrt(var + eps); dbeta = dbias.
template <class Scalar>
struct FoldBatchNormBackward {
  static constexpr const char* name = "fold_batch_norm_backward";
  static constexpr Lanes lanes = Lanes::one;
  const Scalar* mean;
  const Scalar* var;
  const Scalar* dscale;  // or null
  const Scalar* dbias;   // or null
  Scalar* dgamma;
  double eps;

  template <class Group>
  TS_HD void operator()(Group, int64_t c) const {
    const Scalar ds = dscale ? dscale[c] : Scalar(0);
    const Scalar db = dbias ? dbias[c] : Scalar(0);
    dgamma[c] = (ds - mean[c] * db) / math::sqrt(var[c] + Scalar(eps));
  }
  Cost cost(int64_t n) const { return {5.0 * sizeof(Scalar) * n, 5.0 * n}; }
};

}  // namespace tailseg
