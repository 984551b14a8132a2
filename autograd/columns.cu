#include "autograd/columns.h"

#include "autograd/columns_body.h"
#include "tensor/launch.h"

namespace tailseg {

MaskedGradient mask_and_sum(Context& ctx, const Tensor& dy, const Tensor& y, bool want_sums, const Tensor& sums_to) {
  MaskedGradient out{dy, {}};
  if (!y.defined() && !want_sums) return out;
  const int64_t columns = dy.size(-1);
  TS_CHECK(!y.defined() || y.shape() == dy.shape(), "mask_and_sum: gradient ", dy.shape(), " of a result ", y.shape());
  if (want_sums && sums_to.defined()) check_shape("mask_and_sum: sums", sums_to, {columns});
  const int64_t rows = columns == 0 ? 0 : dy.elements() / columns;
  const int64_t chunks = (rows + kChunkRows - 1) / kChunkRows;
  dispatch_floating(dy.dtype(), "mask_and_sum", [&]<class Scalar>(Scalar) {
    using Real = ComputeType<Scalar>;
    Tensor partial;
    if (y.defined()) out.dy = Tensor::empty(ctx, dy.shape(), dy.dtype());
    if (want_sums) {
      partial = Tensor::empty(ctx, {chunks, columns}, dtype_of<Real>());
      out.sums = sums_to.defined() ? sums_to : Tensor::empty(ctx, {columns}, dtype_of<Real>());
    }
    for_each_item(ctx, chunks,
                  MaskedColumnSums<Scalar>{dy.data<Scalar>(), y.defined() ? y.data<Scalar>() : nullptr,
                                           y.defined() ? out.dy.data<Scalar>() : nullptr,
                                           want_sums ? partial.data<Real>() : nullptr, rows, columns});
    if (want_sums) {
      constexpr int64_t kTile = AddChunks<Real>::kTile;
      for_each_item(ctx, (columns + kTile - 1) / kTile,
                    AddChunks<Real>{partial.data<Real>(), out.sums.data<Real>(), chunks, columns});
    }
  });
  return out;
}

}  // namespace tailseg
