#include "autograd/upsample.h"

#include "autograd/upsample_body.h"
#include "tensor/launch.h"

namespace tailseg {

Variable upsample_add(Context& ctx, const Variable& lateral, const Variable& top) {
  check_shape("upsample_add: top", top.value(), {lateral.size(0), -1, -1, lateral.size(3)});
  TS_CHECK(lateral.value().elements() == 0 || top.value().elements() > 0, "upsample_add: nothing to stretch in ",
           top.shape(), " for ", lateral.shape());
  const UpsampleSizes g{lateral.size(1), lateral.size(2), lateral.size(3), top.size(1), top.size(2)};
  const DType dtype = lateral.value().dtype();
  const Tensor y = Tensor::empty(ctx, lateral.shape(), dtype);
  dispatch_floating(dtype, "upsample_add", [&]<class Scalar>(Scalar) {
    const Tensor &a = lateral.value(), &b = top.value();
    dispatch_pack<Scalar>(ctx.device().is_cuda(), g.c, {a.raw(), b.raw(), y.raw()}, [&]<int64_t kPack>() {
      for_each_item(ctx, a.size(0) * g.h * g.w,
                    UpsampleAddForward<Scalar, kPack>{g, a.data<Scalar>(), b.data<Scalar>(), y.data<Scalar>()});
    });
  });
  return record(ctx, "upsample_add", y, {lateral, top}, [lateral, top, g](Context& c, const Tensor& dy) {
    if (top.requires_grad()) {
      const Tensor dtop = Tensor::empty(c, top.shape(), dy.dtype());
      dispatch_floating(dy.dtype(), "upsample_backward", [&]<class Scalar>(Scalar) {
        dispatch_pack<Scalar>(c.device().is_cuda(), g.c, {dy.raw(), dtop.raw()}, [&]<int64_t kPack>() {
          for_each_item(c, top.size(0) * g.top_h * g.top_w,
                        UpsampleBackward<Scalar, kPack>{g, dy.data<Scalar>(), dtop.data<Scalar>()});
        });
      });
      top.accumulate(c, dtop);
    }
    lateral.accumulate(c, dy);
  });
}

}  // namespace tailseg
