#include "autograd/batch_norm.h"

#include "autograd/batch_norm_body.h"
#include "tensor/launch.h"

namespace tailseg {
namespace {

int64_t chunks_of(int64_t rows) { return (rows + kChunkRows - 1) / kChunkRows; }

struct Kept {  // for the backward pass
  Tensor mean, rstd, y;
};

template <class Scalar>
void batch_norm_backward(Context& ctx, const Kept& kept, const Variable& x, const Variable& gamma, const Variable& beta,
                         const Variable& residual, const Tensor& dy) {
  using Real = ComputeType<Scalar>;
  const int64_t columns = x.value().size(-1), rows = x.value().elements() / columns;
  const int64_t chunks = chunks_of(rows);
  const bool relu = kept.y.defined();
  const Tensor g = relu ? Tensor::empty(ctx, dy.shape(), dy.dtype()) : dy;
  const Tensor part_beta = Tensor::empty(ctx, {chunks, columns}, dtype_of<Real>());
  const Tensor part_gamma = Tensor::empty(ctx, {chunks, columns}, dtype_of<Real>());
  for_each_item(
      ctx, chunks,
      BatchNormSums<Scalar>{dy.data<Scalar>(), relu ? kept.y.data<Scalar>() : nullptr, x.value().data<Scalar>(),
                            kept.mean.data<Real>(), kept.rstd.data<Real>(), relu ? g.data<Scalar>() : nullptr,
                            part_beta.data<Real>(), part_gamma.data<Real>(), rows, columns});
  const Tensor dbeta = beta.grad_destination(ctx), dgamma = gamma.grad_destination(ctx);
  const int64_t tiles = (columns + AddChunks<Real>::kTile - 1) / AddChunks<Real>::kTile;
  for_each_item(ctx, tiles, AddChunks<Real>{part_beta.data<Real>(), dbeta.data<Real>(), chunks, columns});
  for_each_item(ctx, tiles, AddChunks<Real>{part_gamma.data<Real>(), dgamma.data<Real>(), chunks, columns});
  if (x.requires_grad()) {
    const Tensor dx = Tensor::empty(ctx, x.shape(), dy.dtype());
    for_each_item(ctx, rows,
                  BatchNormInput<Scalar>{g.data<Scalar>(), x.value().data<Scalar>(), kept.mean.data<Real>(),
                                         kept.rstd.data<Real>(), gamma.value().data<Real>(), dbeta.data<Real>(),
                                         dgamma.data<Real>(), dx.data<Scalar>(), rows, columns});
    x.accumulate(ctx, dx);
  }
  beta.accumulate(ctx, dbeta);
  gamma.accumulate(ctx, dgamma);
  residual.accumulate(ctx, g);
}

}  // namespace

Variable batch_norm(Context& ctx, const Variable& x, const Variable& gamma, const Variable& beta,
                    const Tensor& running_mean, const Tensor& running_var, double eps, double momentum,
                    const Variable& residual, bool relu) {
  const int64_t columns = x.value().size(-1);
  TS_CHECK(x.value().elements() > 0, "batch_norm of an empty batch ", x.shape());
  for (const Tensor* each : {&gamma.value(), &beta.value(), &running_mean, &running_var}) {
    check_shape("batch_norm: per-channel tensor", *each, {columns});
  }
  TS_CHECK(!residual.defined() || residual.shape() == x.shape(), "batch_norm: expected a residual ", x.shape(),
           ", got ", residual.shape());
  const int64_t rows = x.value().elements() / columns, chunks = chunks_of(rows);
  const DType dtype = x.value().dtype();
  const Tensor y = Tensor::empty(ctx, x.shape(), dtype);
  Kept kept;
  dispatch_floating(dtype, "batch_norm", [&]<class Scalar>(Scalar) {
    using Real = ComputeType<Scalar>;
    const Tensor mean = Tensor::empty(ctx, {chunks, columns}, dtype_of<Real>());
    const Tensor deviation = Tensor::empty(ctx, {chunks, columns}, dtype_of<Real>());
    kept.mean = Tensor::empty(ctx, {columns}, dtype_of<Real>());
    kept.rstd = Tensor::empty(ctx, {columns}, dtype_of<Real>());
    for_each_item(
        ctx, chunks,
        BatchNormChunk<Scalar>{x.value().data<Scalar>(), mean.data<Real>(), deviation.data<Real>(), rows, columns});
    constexpr int64_t kTile = BatchNormMerge<Real>::kTile;
    for_each_item(ctx, (columns + kTile - 1) / kTile,
                  BatchNormMerge<Real>{mean.data<Real>(), deviation.data<Real>(), kept.mean.data<Real>(),
                                       kept.rstd.data<Real>(), running_mean.data<Real>(), running_var.data<Real>(),
                                       chunks, rows, columns, eps, momentum});
    for_each_item(ctx, rows,
                  BatchNormApply<Scalar>{x.value().data<Scalar>(), kept.mean.data<Real>(), kept.rstd.data<Real>(),
                                         gamma.value().data<Real>(), beta.value().data<Real>(),
                                         residual.defined() ? residual.value().data<Scalar>() : nullptr,
                                         y.data<Scalar>(), columns, relu});
  });
  if (relu) kept.y = y;
  return record(ctx, "batch_norm", y, {x, gamma, beta, residual},
                [x, gamma, beta, residual, kept](Context& c, const Tensor& dy) {
                  dispatch_floating(dy.dtype(), "batch_norm_backward", [&]<class Scalar>(Scalar) {
                    batch_norm_backward<Scalar>(c, kept, x, gamma, beta, residual, dy);
                  });
                });
}

}  // namespace tailseg
