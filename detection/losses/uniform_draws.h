#pragma once

#include "tensor/philox.h"
#include "tensor/tensor.h"

namespace tailseg {

struct UniformDrawsInput {
  RandomKey key;
  uint32_t step = 0;
  Tensor rows;   // [R] int32: the number of each row, or undefined: 0, 1, ..
  Tensor steps;  // [1] int32 added to `step`, or undefined
};

// [R, n] float32 in [0, 1): what a loss or sampler that draws consumes. Entry (r, j) depends on the key, the step, the
// row's number and j alone, so a row that other rows moved keeps its draws.
Tensor uniform_draws(Context& ctx, const Shape& shape, const UniformDrawsInput& input);

}  // namespace tailseg
