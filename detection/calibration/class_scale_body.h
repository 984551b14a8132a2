#pragma once

#include "tensor/body.h"

namespace tailseg {

// One item = one row; lanes walk its columns. Forward and, with the gradient in the place of the logits, backward.
template <class Scalar>
struct ScaleClasses {
  static constexpr const char* name = "scale_classes";
  static constexpr Lanes lanes = Lanes::warp;
  using Real = ComputeType<Scalar>;
  const Scalar* x;      // [R, W]
  const Scalar* scale;  // [W]
  Scalar* y;            // [R, W]
  int64_t width;

  template <class Group>
  TS_HD void operator()(Group group, int64_t row) const {
    for (int64_t c = group.rank(); c < width; c += group.size()) {
      y[row * width + c] = Scalar(Real(x[row * width + c]) * Real(scale[c]));
    }
  }
  Cost cost(int64_t rows) const { return {2.0 * sizeof(Scalar) * double(rows * width), double(rows * width)}; }
};

}  // namespace tailseg
