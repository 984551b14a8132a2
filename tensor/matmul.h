// Matrix product: oneDNN on the CPU, cuBLASLt on a GPU, and a plain body as the oracle of both (and for float64).
#pragma once

#include "tensor/tensor.h"

namespace tailseg {

struct MatmulOptions {
  bool transpose_a = false;
  bool transpose_b = false;
  const Tensor* bias = nullptr;  // [columns], added to every row; of a's compute_dtype
  bool relu = false;             // applied last
};

// out = relu(op(a) * op(b) + bias). a [m, k] (or [k, m] transposed), b [k, n] (or [n, k]); out [m, n], a's dtype. Sums
// are float32 for bfloat16 too.
Tensor matmul(Context& ctx, const Tensor& a, const Tensor& b, const MatmulOptions& options = {});
// The same into existing memory [m, n], of a's dtype or its compute_dtype.
void matmul_into(Context& ctx, const Tensor& a, const Tensor& b, const MatmulOptions& options, const Tensor& out);
// The body, on any device and dtype: the oracle.
void matmul_naive(Context& ctx, const Tensor& a, const Tensor& b, const MatmulOptions& options, const Tensor& out);

// The libraries' versions, called by matmul_into after its checks.
bool matmul_onednn(Context& ctx, const Tensor& a, const Tensor& b, const MatmulOptions& options, const Tensor& out);
void matmul_cuda(Context& ctx, const Tensor& a, const Tensor& b, const MatmulOptions& options, const Tensor& out);

}  // namespace tailseg
