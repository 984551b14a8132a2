#include "detection/losses/softmax_cross_entropy.h"

#include "detection/losses/softmax_cross_entropy_body.h"
#include "tensor/launch.h"

namespace tailseg {

RowLoss softmax_cross_entropy(Context& ctx, const Variable& logits, const Tensor& labels, const Tensor& normaliser) {
  const Tensor& z = logits.value();
  check_shape("softmax_cross_entropy: logits", z, {-1, -1});
  check_shape("softmax_cross_entropy: labels", labels, {z.size(0)});
  RowLossParts parts;
  parts.values = Tensor::empty(ctx, {z.size(0)}, loss_dtype(z.dtype()));
  parts.hits = Tensor::empty(ctx, {z.size(0)}, DType::int32);
  parts.gradient = Tensor::empty(ctx, z.shape(), z.dtype());
  dispatch_floating(z.dtype(), "softmax_cross_entropy", [&]<class Scalar>(Scalar) {
    for_each_item(ctx, z.size(0),
                  SoftmaxCrossEntropyRow<Scalar>{
                      z.data<Scalar>(), labels.data<int32_t>(), parts.gradient.data<Scalar>(),
                      parts.values.data<ComputeType<Scalar>>(), parts.hits.data<int32_t>(), z.size(1)});
  });
  return finish_row_loss(ctx, "softmax_cross_entropy", logits, labels, parts, normaliser);
}

}  // namespace tailseg
