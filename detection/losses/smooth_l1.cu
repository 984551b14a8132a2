#include "detection/losses/smooth_l1.h"

#include "detection/losses/smooth_l1_body.h"
#include "tensor/launch.h"

namespace tailseg {

RowLoss box_loss(Context& ctx, const Variable& deltas, const Tensor& targets, const Tensor& labels,
                 const BoxLossOptions& options, const Tensor& normaliser) {
  const Tensor& d = deltas.value();
  check_shape("box_loss: deltas", d, {-1, -1});
  const int64_t rows = d.size(0), columns = d.size(1);
  TS_CHECK(columns == 4 || columns == 4 * options.classes, "box_loss: deltas ", d.shape(),
           "; expected 4 columns or 4 * ", options.classes);
  TS_CHECK(options.beta >= 0, "box_loss: beta is ", options.beta, ", expected 0 or more");
  check_shape("box_loss: targets", targets, {rows, 4});
  check_shape("box_loss: labels", labels, {rows});
  RowLossParts parts;
  parts.values = Tensor::empty(ctx, {rows}, loss_dtype(d.dtype()));
  parts.gradient = Tensor::empty(ctx, d.shape(), d.dtype());
  dispatch_floating(d.dtype(), "box_loss", [&]<class Scalar>(Scalar) {
    using Real = ComputeType<Scalar>;
    for_each_item(ctx, rows,
                  SmoothL1Row<Scalar>{d.data<Scalar>(), targets.data<Real>(), labels.data<int32_t>(),
                                      parts.gradient.data<Scalar>(), parts.values.data<Real>(), columns,
                                      options.classes, Real(options.beta)});
  });
  return finish_row_loss(ctx, "box_loss", deltas, labels, parts, normaliser);
}

}  // namespace tailseg
