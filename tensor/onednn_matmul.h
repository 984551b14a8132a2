// The library's matrix product on plain memory, for matmul_onednn.cpp and the convolutions that are matrix products.
#pragma once

#include "tensor/onednn_plan.h"

namespace tailseg::onednn {

struct Product {  // out [m, n] = relu(op(a) op(b) + bias + out)
  int64_t m, n, k;
  bool transpose_a = false;  // a is [k, m]
  bool transpose_b = false;  // b is [n, k]
  bool bias = false;         // [n]
  bool add = false;          // to what out holds
  bool relu = false;
  DType in = DType::float32;   // of a and b
  DType out = DType::float32;  // of the result
};

// a, b and out point to numbers of the product's dtypes.
void multiply(Context& ctx, Plans& plans, const Product& product, const void* a, const void* b, const float* bias,
              void* out);

}  // namespace tailseg::onednn
