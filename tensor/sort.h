// Top-k, sorting and prefix sums: std algorithms over threads on the CPU (sort_cpu.cpp), radix selection and CUB on a
// GPU (sort_cuda.cu), and a plain body as the oracle of both (sort_naive_body.h).
//
// One order everywhere: larger keys first, of equal keys the lower index first, NaN after everything else (-0 equals
// +0). The order is total, so every executor gives the same bits at any thread count. Sizes never depend on the data
// and nothing waits for the device, so all of it can be captured into a CUDA graph.
#pragma once

#include "tensor/tensor.h"

namespace tailseg {

struct RankedRows {
  Tensor values;   // [rows, k], dtype of the keys; -infinity behind a row's last valid key
  Tensor indices;  // [rows, k] int32, the key's column; -1 behind the last valid key
};

// The k first of each row of keys [rows, n] float32 (float64 on the CPU). k may exceed n. `counts` [rows] int32: only
// the first counts[row] keys of a row are valid (values outside [0, n] are clamped); null: all n.
RankedRows topk(Context& ctx, const Tensor& keys, int64_t k, const Tensor* counts = nullptr);
// Whole rows in order: topk with k = n.
RankedRows sort_rows_descending(Context& ctx, const Tensor& keys, const Tensor* counts = nullptr);
// Offsets: out[i] = x[0] + ... + x[i - 1]. x [n] -> [n + 1], or row by row [rows, n] -> [rows, n + 1]; int32 or int64.
// The last entry of a row is its total.
Tensor exclusive_scan(Context& ctx, const Tensor& x);

// The body, on any device: the oracle, quadratic in n. Results go to the existing memory of `out`.
void topk_naive(Context& ctx, const Tensor& keys, const Tensor* counts, const RankedRows& out);
void exclusive_scan_naive(Context& ctx, const Tensor& x, const Tensor& out);

// What the checked functions above call.
void topk_cpu(Context& ctx, const Tensor& keys, const Tensor* counts, const RankedRows& out);
void exclusive_scan_cpu(Context& ctx, const Tensor& x, const Tensor& out);
void topk_cuda(Context& ctx, const Tensor& keys, const Tensor* counts, const RankedRows& out);
void exclusive_scan_cuda(Context& ctx, const Tensor& x, const Tensor& out);

}  // namespace tailseg
