#include "autograd/linear.h"

#include "autograd/columns.h"
#include "tensor/elementwise.h"
#include "tensor/matmul.h"

namespace tailseg {

Variable linear(Context& ctx, const Variable& x, const Variable& w, const Variable& b, const LinearOptions& options) {
  check_shape("linear: input", x.value(), {-1, w.size(1)});
  const DType dtype = x.value().dtype();
  const Tensor weights = w.value_as(ctx, dtype);
  const Tensor y = Tensor::empty(ctx, {x.size(0), w.size(0)}, options.full ? compute_dtype(dtype) : dtype);
  matmul_into(ctx, x.value(), weights,
              {.transpose_b = true, .bias = b.defined() ? &b.value() : nullptr, .relu = options.relu}, y);
  const Tensor kept = options.relu ? y : Tensor();
  return record(ctx, "linear", y, {x, w, b}, [x, w, b, weights, kept](Context& c, const Tensor& dy) {
    const MaskedGradient g =
        mask_and_sum(c, dy, kept, b.requires_grad(), b.requires_grad() ? b.grad_destination(c) : Tensor());
    if (b.requires_grad()) b.accumulate(c, g.sums);
    const Tensor rounded = cast(c, g.dy, x.value().dtype());  // itself, unless the result was full
    if (x.requires_grad()) x.accumulate(c, matmul(c, rounded, weights));
    if (w.requires_grad()) {
      const Tensor dw = w.grad_destination(c);
      matmul_into(c, rounded, x.value(), {.transpose_a = true}, dw);
      w.accumulate(c, dw);
    }
  });
}

}  // namespace tailseg
