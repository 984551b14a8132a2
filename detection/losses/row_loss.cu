#include "detection/losses/row_loss.h"

#include "detection/losses/row_loss_body.h"
#include "tensor/launch.h"

namespace tailseg {

DType loss_dtype(DType input) { return input == DType::float64 ? DType::float64 : DType::float32; }

RowLossParts row_loss_parts(Context& ctx, const Tensor& logits) {
  RowLossParts parts;
  parts.values = Tensor::empty(ctx, {logits.size(0)}, loss_dtype(logits.dtype()));
  parts.gradient = Tensor::empty(ctx, logits.shape(), logits.dtype());
  parts.hits = Tensor::empty(ctx, {logits.size(0)}, DType::int32);
  return parts;
}

RowLoss finish_row_loss(Context& ctx, const char* name, const Variable& input, const Tensor& labels,
                        const RowLossParts& parts, const Tensor& normaliser) {
  const DType dtype = parts.values.dtype();
  if (normaliser.defined()) check_shape("a loss's normaliser", normaliser, {1});
  const Tensor loss = Tensor::empty(ctx, {1}, dtype), inverse = Tensor::empty(ctx, {1}, dtype);
  const Tensor counts = Tensor::empty(ctx, {2}, DType::int32);
  dispatch_full(dtype, name, [&]<class Real>(Real) {
    for_each_item(
        ctx, 1,
        RowLossTotal<Real>{parts.values.data<Real>(), labels.data<int32_t>(),
                           parts.hits.defined() ? parts.hits.data<int32_t>() : nullptr,
                           normaliser.defined() ? normaliser.data<Real>() : nullptr, loss.data<Real>(),
                           inverse.data<Real>(), counts.data<int32_t>(), labels.elements(), parts.elements_a_row,
                           parts.weights.defined() ? parts.weights.data<Real>() : nullptr, Real(parts.ceiling)});
  });
  const Tensor gradient = parts.gradient;
  const Variable result = record(ctx, name, loss, {input}, [input, gradient, inverse](Context& c, const Tensor& dy) {
    dispatch_floating(gradient.dtype(), "a loss's gradient", [&]<class Scalar>(Scalar) {
      using Body = ScaleRowGradient<Scalar>;
      using Real = ComputeType<Scalar>;
      const int64_t elements = gradient.elements();
      for_each_item(c, (elements + Body::kChunk - 1) / Body::kChunk,
                    Body{gradient.data<Scalar>(), dy.data<Real>(), inverse.data<Real>(), elements});
    });
    input.accumulate(c, gradient);
  });
  return {result, counts};
}

}  // namespace tailseg
