// Sets every element of a tensor to one value, where the tensor lives.
#pragma once

#include "tensor/tensor.h"

namespace tailseg {

void fill_elements(Context& ctx, const Tensor& tensor, double value);

}  // namespace tailseg
