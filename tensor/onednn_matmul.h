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
};

void multiply(Context& ctx, Plans& plans, const Product& product, const float* a, const float* b, const float* bias,
              float* out);

}  // namespace tailseg::onednn
