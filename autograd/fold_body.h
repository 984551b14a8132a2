// A frozen batch norm folded into the filters before it, and undone in their gradient.
//   deviation = sqrt(var + eps)
//   y = gamma * (w conv x - mean) / deviation + beta = (scale * w) conv x + bias
//   scale = gamma / deviation,  bias = beta - mean * scale
// With d the gradient of the folded filters and dbias that of the bias:
//   dw = scale * d,  dgamma = (sum of w * d - mean * dbias) / deviation,  dbeta = dbias
#pragma once

#include "tensor/body.h"

namespace tailseg {

// One item = one filter; lanes walk its taps (contiguous).
template <class Scalar, class Out, class Bias>
struct FoldNorm {
  static constexpr const char* name = "fold_norm";
  static constexpr Lanes lanes = Lanes::block;
  const Scalar* w;  // [K, taps]
  const Scalar* gamma;
  const Scalar* beta;
  const Scalar* mean;
  const Scalar* var;
  Out* folded;  // [K, taps]
  Bias* bias;   // [K]
  int64_t taps;
  double eps;

  template <class Group>
  TS_HD void operator()(Group group, int64_t k) const {
    const Scalar scale = gamma[k] / math::sqrt(var[k] + Scalar(eps));
    if (group.rank() == 0) bias[k] = Bias(beta[k] - mean[k] * scale);
    for (int64_t i = group.rank(); i < taps; i += group.size()) folded[k * taps + i] = Out(scale * w[k * taps + i]);
  }
  Cost cost(int64_t filters) const {
    return {double(filters) * (double(sizeof(Scalar) + sizeof(Out)) * taps + 5.0 * sizeof(Scalar)),
            double(filters) * (double(taps) + 5)};
  }
};

// One item = one filter; lanes walk its taps.
template <class Scalar, class In>
struct FoldNormBackward {
  static constexpr const char* name = "fold_norm_backward";
  static constexpr Lanes lanes = Lanes::block;
  const Scalar* w;  // [K, taps]
  const Scalar* gamma;
  const Scalar* mean;
  const Scalar* var;
  const In* dfolded;    // [K, taps]
  const Scalar* dbias;  // [K]
  Scalar* dw;           // [K, taps] or null; may be dfolded's memory
  Scalar* dgamma;       // [K] or null
  int64_t taps;
  double eps;

  template <class Group>
  TS_HD void operator()(Group group, int64_t k) const {
    const In* d = dfolded + k * taps;
    const Scalar deviation = math::sqrt(var[k] + Scalar(eps));
    if (dgamma) {
      const Scalar total = sum_over<Scalar>(group, taps, [&](int64_t i) { return w[k * taps + i] * Scalar(d[i]); });
      if (group.rank() == 0) dgamma[k] = total / deviation - mean[k] * dbias[k] / deviation;
    }
    if (dw) {
      const Scalar scale = gamma[k] / deviation;
      for (int64_t i = group.rank(); i < taps; i += group.size()) dw[k * taps + i] = scale * Scalar(d[i]);
    }
  }
  Cost cost(int64_t filters) const {
    return {double(filters) * taps * (2.0 * sizeof(Scalar) + sizeof(In)), 3.0 * double(filters) * taps};
  }
};

}  // namespace tailseg
