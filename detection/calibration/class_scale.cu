#include "detection/calibration/class_scale.h"

#include "autograd/columns.h"
#include "detection/calibration/class_scale_body.h"
#include "tensor/elementwise.h"
#include "tensor/launch.h"

namespace tailseg {
namespace {

Tensor scaled(Context& ctx, const Tensor& x, const Tensor& scale) {
  const Tensor y = Tensor::empty(ctx, x.shape(), x.dtype());
  dispatch_floating(x.dtype(), "scale_classes", [&]<class Scalar>(Scalar) {
    for_each_item(ctx, x.size(0),
                  ScaleClasses<Scalar>{x.data<Scalar>(), scale.data<Scalar>(), y.data<Scalar>(), x.size(1)});
  });
  return y;
}

}  // namespace

Variable scale_classes(Context& ctx, const Variable& logits, const Variable& scale) {
  check_shape("scale of classes: logits", logits.value(), {-1, -1});
  check_shape("scale of classes", scale.value(), {logits.size(1)});
  TS_CHECK(logits.value().dtype() == scale.value().dtype(), "scale of classes: logits of ",
           name_of(logits.value().dtype()), ", scales of ", name_of(scale.value().dtype()));
  return record(ctx, "scale_classes", scaled(ctx, logits.value(), scale.value()), {logits, scale},
                [logits, scale](Context& c, const Tensor& dy) {
                  if (logits.requires_grad()) logits.accumulate(c, scaled(c, dy, scale.value()));
                  if (!scale.requires_grad()) return;
                  const Tensor each = multiply(c, logits.value(), dy);
                  scale.accumulate(c, mask_and_sum(c, each, {}, true, scale.grad_destination(c)).sums);
                });
}

}  // namespace tailseg
