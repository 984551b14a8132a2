#pragma once

#include "tensor/body.h"

namespace tailseg {

// One item = one row of weights; lanes walk its inputs.
template <class Real>
struct TauNormaliseRow {
  static constexpr const char* name = "tau_normalise_row";
  static constexpr Lanes lanes = Lanes::warp;
  const Real* w;  // [W, F]
  Real* out;      // [W, F]
  int64_t inputs;
  Real tau;

  template <class Group>
  TS_HD void operator()(Group group, int64_t row) const {
    const Real* mine = w + row * inputs;
    const Real squares = sum_over<Real>(group, inputs, [&](int64_t i) { return mine[i] * mine[i]; });
    const Real factor = squares > Real(0) ? math::exp(Real(-0.5) * tau * math::log(squares)) : Real(0);
    for (int64_t i = group.rank(); i < inputs; i += group.size()) out[row * inputs + i] = mine[i] * factor;
  }
  Cost cost(int64_t rows) const { return {2.0 * sizeof(Real) * double(rows * inputs), 3.0 * double(rows * inputs)}; }
};

}  // namespace tailseg
