#include "autograd/arithmetic.h"

#include "autograd/relu.h"
#include "tensor/elementwise.h"

namespace tailseg {

Variable add(Context& ctx, const Variable& a, const Variable& b) {
  return record(ctx, "add", add(ctx, a.value(), b.value()), {a, b}, [a, b](Context& c, const Tensor& dy) {
    a.accumulate(c, dy);
    b.accumulate(c, dy);
  });
}

Variable scale(Context& ctx, const Variable& a, double alpha) {
  return record(ctx, "scale", scale(ctx, a.value(), alpha), {a},
                [a, alpha](Context& c, const Tensor& dy) { a.accumulate(c, scale(c, dy, alpha)); });
}

Variable scale_gradient(Context& ctx, const Variable& a, double alpha) {
  return record(ctx, "scale_gradient", a.value(), {a},
                [a, alpha](Context& c, const Tensor& dy) { a.accumulate(c, scale(c, dy, alpha)); });
}

Variable multiply(Context& ctx, const Variable& a, const Variable& b) {
  return record(ctx, "multiply", multiply(ctx, a.value(), b.value()), {a, b}, [a, b](Context& c, const Tensor& dy) {
    if (a.requires_grad()) a.accumulate(c, multiply(c, dy, b.value()));
    if (b.requires_grad()) b.accumulate(c, multiply(c, dy, a.value()));
  });
}

Variable sum(Context& ctx, const Variable& a) {
  return record(ctx, "sum", cast(ctx, sum_all(ctx, a.value()), a.value().dtype()), {a},
                [a](Context& c, const Tensor& dy) { a.accumulate(c, broadcast_scalar(c, dy, a.shape())); });
}

Variable reshape(Context& ctx, const Variable& a, const Shape& shape) {
  return record(ctx, "reshape", a.value().reshape(shape), {a},
                [a](Context& c, const Tensor& dy) { a.accumulate(c, dy.reshape(a.shape())); });
}

Variable concat_rows(Context& ctx, const std::vector<Variable>& parts) {
  TS_CHECK(!parts.empty(), "concat_rows of nothing");
  int64_t rows = 0;
  for (const Variable& part : parts) {
    TS_CHECK(part.shape().axes() > 0 && part.shape().with(0, 0) == parts[0].shape().with(0, 0) &&
                 part.value().dtype() == parts[0].value().dtype(),
             "concat_rows of ", parts[0].shape(), " ", name_of(parts[0].value().dtype()), " and ", part.shape(), " ",
             name_of(part.value().dtype()));
    rows += part.size(0);
  }
  Tensor out = Tensor::empty(ctx, parts[0].shape().with(0, rows), parts[0].value().dtype());
  int64_t row = 0;
  for (const Variable& part : parts) {
    out.slice(row, row + part.size(0)).copy_from(ctx, part.value());
    row += part.size(0);
  }
  return record(ctx, "concat_rows", out, parts, [parts](Context& c, const Tensor& dy) {
    int64_t begin = 0;
    for (const Variable& part : parts) {
      part.accumulate(c, dy.slice(begin, begin + part.size(0)));
      begin += part.size(0);
    }
  });
}

Variable slice_rows(Context& ctx, const Variable& a, int64_t begin, int64_t end) {
  return record(ctx, "slice_rows", a.value().slice(begin, end), {a}, [a, begin, end](Context& c, const Tensor& dy) {
    const Tensor dx = a.grad_destination(c);
    dx.zero(c);
    dx.slice(begin, end).copy_from(c, dy);
    a.accumulate(c, dx);
  });
}

Variable relu(Context& ctx, const Variable& a) {
  Tensor y = relu_forward(ctx, a.value());
  return record(ctx, "relu", y, {a},
                [a, y](Context& c, const Tensor& dy) { a.accumulate(c, relu_backward(c, dy, y)); });
}

}  // namespace tailseg
