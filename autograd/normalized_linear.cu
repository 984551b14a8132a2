#include "autograd/normalized_linear.h"

#include "autograd/linear.h"
#include "autograd/normalized_linear_body.h"
#include "tensor/launch.h"

namespace tailseg {

Variable normalize_rows(Context& ctx, const Variable& x, double scale, double power, double eps) {
  TS_CHECK(power >= 0 && eps > 0, "normalize_rows: power ", power, ", eps ", eps,
           "; expected a power of at least 0 and an eps above 0");
  const Tensor& from = x.value();
  TS_CHECK(from.axes() > 0, "normalize_rows of a tensor without axes");
  const int64_t features = from.size(from.axes() - 1), rows = features > 0 ? from.elements() / features : 0;
  const Tensor y = Tensor::empty(ctx, from.shape(), from.dtype());
  Tensor factor, pull;
  dispatch_floating(from.dtype(), "normalize_rows", [&]<class Scalar>(Scalar) {
    using Real = ComputeType<Scalar>;
    factor = Tensor::empty(ctx, {rows}, dtype_of<Real>());
    pull = Tensor::empty(ctx, {rows}, dtype_of<Real>());
    for_each_item(ctx, rows,
                  NormalizeRows<Scalar>{from.data<Scalar>(), y.data<Scalar>(), factor.data<Real>(), pull.data<Real>(),
                                        features, RowNormValues<Real>{Real(scale), Real(power), Real(eps)}});
  });
  return record(ctx, "normalize_rows", y, {x}, [x, factor, pull, rows, features](Context& c, const Tensor& dy) {
    const Tensor dx = x.grad_destination(c);
    dispatch_floating(dy.dtype(), "normalize_rows_backward", [&]<class Scalar>(Scalar) {
      using Real = ComputeType<Scalar>;
      for_each_item(c, rows,
                    NormalizeRowsBackward<Scalar>{x.value().data<Scalar>(), dy.data<Scalar>(), factor.data<Real>(),
                                                  pull.data<Real>(), dx.data<Scalar>(), features});
    });
    x.accumulate(c, dx);
  });
}

Variable normalized_linear(Context& ctx, const Variable& x, const Variable& w, const Variable& b,
                           const NormalizedOptions& options) {
  return linear(ctx, normalize_rows(ctx, x, options.temperature, options.power, options.eps),
                normalize_rows(ctx, w, 1, options.power, options.eps), b, {.full = true});
}

}  // namespace tailseg
