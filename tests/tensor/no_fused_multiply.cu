// Compiled to PTX by no_fused_multiply.cmake, never run: does math::mul_rounded keep nvcc from fusing a * b + c?
#include "tensor/math.h"

extern "C" __global__ void plain(const float* x, float* y) { y[0] = x[0] * x[1] + x[2]; }
extern "C" __global__ void rounded(const float* x, float* y) { y[0] = tailseg::math::mul_rounded(x[0], x[1]) + x[2]; }
