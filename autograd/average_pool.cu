#include "autograd/average_pool.h"

#include "autograd/average_pool_body.h"
#include "tensor/launch.h"

namespace tailseg {

Variable global_average_pool(Context& ctx, const Variable& x) {
  check_shape("global_average_pool", x.value(), {-1, -1, -1, -1});
  const int64_t n = x.size(0), pixels = x.size(1) * x.size(2), channels = x.size(3);
  TS_CHECK(pixels > 0, "global_average_pool of images without pixels, ", x.shape());
  const DType dtype = x.value().dtype();
  const Tensor y = Tensor::empty(ctx, {n, channels}, dtype);
  dispatch_floating(dtype, "global_average_pool", [&]<class Scalar>(Scalar) {
    for_each_item(ctx, n, GlobalAverageForward<Scalar>{x.value().data<Scalar>(), y.data<Scalar>(), pixels, channels});
  });
  return record(ctx, "global_average_pool", y, {x}, [x, pixels, channels](Context& c, const Tensor& dy) {
    const Tensor dx = Tensor::empty(c, x.shape(), dy.dtype());
    dispatch_floating(dy.dtype(), "global_average_pool_backward", [&]<class Scalar>(Scalar) {
      for_each_item(c, dy.size(0) * pixels,
                    GlobalAverageBackward<Scalar>{dy.data<Scalar>(), dx.data<Scalar>(), pixels, channels});
    });
    x.accumulate(c, dx);
  });
}

}  // namespace tailseg
