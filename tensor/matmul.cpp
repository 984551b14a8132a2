#include "tensor/matmul.h"

#include "tensor/capture.h"
#include "tensor/device_check.h"

namespace tailseg {

Tensor matmul(Context& ctx, const Tensor& a, const Tensor& b, const MatmulOptions& options) {
  TS_CHECK(a.axes() == 2 && b.axes() == 2, "matmul: expected two matrices, got ", a.shape(), " and ", b.shape());
  Tensor out =
      Tensor::empty(ctx, {a.size(options.transpose_a ? 1 : 0), b.size(options.transpose_b ? 0 : 1)}, a.dtype());
  matmul_into(ctx, a, b, options, out);
  return out;
}

void matmul_into(Context& ctx, const Tensor& a, const Tensor& b, const MatmulOptions& options, const Tensor& out) {
  TS_CHECK(a.axes() == 2 && b.axes() == 2, "matmul: expected two matrices, got ", a.shape(), " and ", b.shape());
  const DType dtype = a.dtype(), full = compute_dtype(dtype);
  TS_CHECK(dtype == b.dtype() && (out.dtype() == dtype || out.dtype() == full),
           "matmul: dtypes differ: ", name_of(dtype), ", ", name_of(b.dtype()), " and ", name_of(out.dtype()));
  const int64_t k = a.size(options.transpose_a ? 0 : 1);
  TS_CHECK(k == b.size(options.transpose_b ? 1 : 0), "matmul: inner sizes differ: ", a.shape(),
           options.transpose_a ? "^T" : "", " times ", b.shape(), options.transpose_b ? "^T" : "");
  check_shape("matmul: result", out, {a.size(options.transpose_a ? 1 : 0), b.size(options.transpose_b ? 0 : 1)});
  check_device(ctx, "matmul", "first matrix", a);
  check_device(ctx, "matmul", "second matrix", b);
  check_device(ctx, "matmul", "result", out);
  if (options.bias) {
    check_shape("matmul: bias", *options.bias, {out.size(1)});
    TS_CHECK(options.bias->dtype() == full, "matmul: expected a bias in ", name_of(full), ", got ",
             name_of(options.bias->dtype()));
    check_device(ctx, "matmul", "bias", *options.bias);
  }
  if (out.elements() == 0) return;
  if (k == 0) return matmul_naive(ctx, a, b, options, out);
  if (ctx.device().is_cuda()) return matmul_cuda(ctx, a, b, options, out);
  run_or_capture(ctx, [&ctx, a, b, mine = options, bias = options.bias ? *options.bias : Tensor(), out]() mutable {
    mine.bias = bias.defined() ? &bias : nullptr;
    if (a.dtype() != DType::float64 && matmul_onednn(ctx, a, b, mine, out)) return;
    matmul_naive(ctx, a, b, mine, out);
  });
}

#ifndef TAILSEG_CUDA
void matmul_cuda(Context& ctx, const Tensor& a, const Tensor& b, const MatmulOptions& options, const Tensor& out) {
  matmul_naive(ctx, a, b, options, out);
}
#endif
#ifndef TAILSEG_ONEDNN
bool matmul_onednn(Context&, const Tensor&, const Tensor&, const MatmulOptions&, const Tensor&) { return false; }
#endif

}  // namespace tailseg
