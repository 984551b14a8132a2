// One question of the ops: does a tensor live where the context works? Without it a kernel reads an address that means
// nothing to its machine: a segmentation fault on the CPU, a fault that names no tensor on a GPU.
#pragma once

#include "tensor/tensor.h"

namespace tailseg {

// Throws Error, "conv2d: input is on cpu, but ..", unless the tensor, where defined, is on ctx's device.
void check_device(const Context& ctx, const char* op, const char* what, const Tensor& tensor);

}  // namespace tailseg
