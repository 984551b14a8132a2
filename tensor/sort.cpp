// Checks what came, makes room for the result and hands over to the device's version.
#include "tensor/sort.h"

#include <limits>

#include "tensor/capture.h"
#include "tensor/device_check.h"

namespace tailseg {

RankedRows topk(Context& ctx, const Tensor& keys, int64_t k, const Tensor* counts) {
  check_shape("topk: keys", keys, {-1, -1});
  TS_CHECK(keys.dtype() == DType::float32 || keys.dtype() == DType::float64,
           "topk: keys are float32 (or float64 on the CPU), got ", name_of(keys.dtype()));
  check_device(ctx, "topk", "keys", keys);
  if (counts) check_device(ctx, "topk", "counts", *counts);
  TS_CHECK(k >= 0 && keys.size(1) <= std::numeric_limits<int32_t>::max(), "topk: k ", k, " of rows of ", keys.size(1));
  if (counts) {
    check_shape("topk: counts", *counts, {keys.size(0)});
    TS_CHECK(counts->dtype() == DType::int32, "topk: counts are int32, got ", name_of(counts->dtype()));
  }
  RankedRows out{Tensor::empty(ctx, {keys.size(0), k}, keys.dtype()),
                 Tensor::empty(ctx, {keys.size(0), k}, DType::int32)};
  if (out.values.elements() == 0) return out;
  if (ctx.device().is_cuda()) {
    topk_cuda(ctx, keys, counts, out);
    return out;
  }
  run_or_capture(ctx, [&ctx, keys, valid = counts ? *counts : Tensor(), out] {
    topk_cpu(ctx, keys, valid.defined() ? &valid : nullptr, out);
  });
  return out;
}

RankedRows sort_rows_descending(Context& ctx, const Tensor& keys, const Tensor* counts) {
  check_shape("sort_rows_descending: keys", keys, {-1, -1});
  return topk(ctx, keys, keys.size(1), counts);
}

Tensor exclusive_scan(Context& ctx, const Tensor& x) {
  TS_CHECK(x.defined() && (x.axes() == 1 || x.axes() == 2), "exclusive_scan: expected [n] or [rows, n]",
           x.defined() ? ", got " + x.shape().str() : ", got an undefined tensor");
  check_device(ctx, "exclusive_scan", "input", x);
  TS_CHECK(x.dtype() == DType::int32 || x.dtype() == DType::int64, "exclusive_scan: int32 or int64, got ",
           name_of(x.dtype()));
  Tensor out = Tensor::empty(ctx, x.shape().with(-1, x.size(-1) + 1), x.dtype());
  if (out.elements() == 0) return out;
  if (ctx.device().is_cuda())
    exclusive_scan_cuda(ctx, x, out);
  else
    run_or_capture(ctx, [&ctx, x, out] { exclusive_scan_cpu(ctx, x, out); });
  return out;
}

#ifndef TAILSEG_CUDA
void topk_cuda(Context& ctx, const Tensor& keys, const Tensor* counts, const RankedRows& out) {
  topk_naive(ctx, keys, counts, out);
}
void exclusive_scan_cuda(Context& ctx, const Tensor& x, const Tensor& out) { exclusive_scan_naive(ctx, x, out); }
#endif

}  // namespace tailseg
