// Sums of absolute gradients by class, split into those from the class's own rows and those from all others.
#pragma once

#include "tensor/body.h"

namespace tailseg {

// One item = one chunk of kRows rows; lanes walk the classes. partial[chunk] = [positive | negative], each [C]:
//   positive_c = sum of |g[r, column(c)]| over rows with label c,  negative_c = the same over other rows in use.
template <class Scalar>
struct ClassGradientChunk {
  static constexpr const char* name = "class_gradient_chunk";
  static constexpr Lanes lanes = Lanes::block;
  static constexpr int64_t kRows = 128;
  using Real = ComputeType<Scalar>;
  const Scalar* gradient;  // [R, width]
  const int32_t* labels;   // [R]; class 0..C-1, others are background; below 0: unused row
  const int32_t* columns;  // [C] where each class's logit is, or null: c
  Real* partial;           // [chunks, 2, C]
  int64_t rows, width, classes;

  template <class Group>
  TS_HD void operator()(Group group, int64_t chunk) const {
    Real* positive = partial + chunk * 2 * classes;
    Real* negative = positive + classes;
    for (int64_t c = group.rank(); c < classes; c += group.size()) positive[c] = negative[c] = Real(0);
    const int64_t end = math::min((chunk + 1) * kRows, rows);
    for (int64_t row = chunk * kRows; row < end; ++row) {
      const int64_t label = labels[row];
      if (label < 0) continue;
      const Scalar* g = gradient + row * width;
      for (int64_t c = group.rank(); c < classes; c += group.size()) {
        const Real value = Real(g[columns ? columns[c] : c]);
        const Real size = value < Real(0) ? -value : value;
        positive[c] += c == label ? size : Real(0);
        negative[c] += c == label ? Real(0) : size;
      }
    }
  }
  Cost cost(int64_t) const {
    return {sizeof(Scalar) * double(rows) * double(classes), 4.0 * double(rows) * double(classes)};
  }
};

// One item = one tile of the 2 C sums; lanes walk it, add the chunks in order and then the step to the state. The state
// carries what rounding took (Kahan), so that the last of a million steps counts like the first.
template <class Real>
struct AccumulateClassGradients {
  static constexpr const char* name = "accumulate_class_gradients";
  static constexpr Lanes lanes = Lanes::warp;
  static constexpr int64_t kTile = 64;
  const Real* partial;   // [chunks, 2, C]
  Real* state;           // [2, 2 C]: sums, then what is to be taken off the next step
  int64_t chunks, sums;  // sums = 2 C

  template <class Group>
  TS_HD void operator()(Group group, int64_t tile) const {
    const int64_t end = math::min((tile + 1) * kTile, sums);
    for (int64_t i = tile * kTile + group.rank(); i < end; i += group.size()) {
      Real step = 0;
      for (int64_t chunk = 0; chunk < chunks; ++chunk) step += partial[chunk * sums + i];
      const Real before = state[i], add = step - state[sums + i], after = before + add;
      state[sums + i] = (after - before) - add;
      state[i] = after;
    }
  }
  Cost cost(int64_t) const {
    return {sizeof(Real) * double(sums) * double(chunks + 4), double(sums) * double(chunks + 4)};
  }
};

}  // namespace tailseg
