#include "detection/losses/binary_cross_entropy.h"

#include "detection/losses/binary_cross_entropy_body.h"
#include "tensor/launch.h"

namespace tailseg {

RowLoss binary_cross_entropy(Context& ctx, const Variable& logits, const Tensor& targets, const Tensor& labels,
                             const Tensor& normaliser) {
  const Tensor& z = logits.value();
  TS_CHECK(z.axes() >= 1 && z.shape() == targets.shape(), "binary_cross_entropy: logits ", z.shape(), ", targets ",
           targets.shape(), "; expected equal shapes with the rows first");
  const int64_t rows = z.size(0);
  check_shape("binary_cross_entropy: labels", labels, {rows});
  int64_t columns = 1;
  for (int axis = 1; axis < z.axes(); ++axis) columns *= z.size(axis);
  RowLossParts parts;
  parts.values = Tensor::empty(ctx, {rows}, loss_dtype(z.dtype()));
  parts.gradient = Tensor::empty(ctx, z.shape(), z.dtype());
  parts.elements_a_row = columns;
  dispatch_floating(z.dtype(), "binary_cross_entropy", [&]<class Scalar>(Scalar) {
    using Real = ComputeType<Scalar>;
    for_each_item(ctx, rows,
                  BinaryCrossEntropyRow<Scalar>{z.data<Scalar>(), targets.data<Real>(), labels.data<int32_t>(),
                                                parts.gradient.data<Scalar>(), parts.values.data<Real>(), columns});
  });
  return finish_row_loss(ctx, "binary_cross_entropy", logits, labels, parts, normaliser);
}

}  // namespace tailseg
