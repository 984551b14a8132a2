#include "autograd/linear.h"

#include "autograd/columns.h"
#include "tensor/matmul.h"

namespace tailseg {

Variable linear(Context& ctx, const Variable& x, const Variable& w, const Variable& b, bool relu) {
  check_shape("linear: input", x.value(), {-1, w.size(1)});
  const Tensor y = matmul(ctx, x.value(), w.value(),
                          {.transpose_b = true, .bias = b.defined() ? &b.value() : nullptr, .relu = relu});
  const Tensor kept = relu ? y : Tensor();
  return record(ctx, "linear", y, {x, w, b}, [x, w, b, kept](Context& c, const Tensor& dy) {
    const MaskedGradient g =
        mask_and_sum(c, dy, kept, b.requires_grad(), b.requires_grad() ? b.grad_destination(c) : Tensor());
    if (b.requires_grad()) b.accumulate(c, g.sums);
    if (x.requires_grad()) x.accumulate(c, matmul(c, g.dy, w.value()));
    if (w.requires_grad()) {
      const Tensor dw = w.grad_destination(c);
      matmul_into(c, g.dy, x.value(), {.transpose_a = true}, dw);
      w.accumulate(c, dw);
    }
  });
}

}  // namespace tailseg
