#include "autograd/max_pool.h"

#include "autograd/max_pool_body.h"
#include "tensor/launch.h"

namespace tailseg {

Variable max_pool(Context& ctx, const Variable& x, int64_t window, int64_t stride, int64_t padding) {
  check_shape("max_pool", x.value(), {-1, -1, -1, -1});
  TS_CHECK(window > 0 && window <= 15 && stride > 0 && padding >= 0 && padding < window, "max_pool: window ", window,
           ", stride ", stride, ", padding ", padding);
  const int64_t n = x.size(0), h = x.size(1), w = x.size(2), c = x.size(3);
  TS_CHECK(h > 0 && w > 0 && h + 2 * padding >= window && w + 2 * padding >= window, "max_pool: a window of ", window,
           " on ", x.shape());
  const PoolSizes g{
      h,      w,      c,      (h + 2 * padding - window) / stride + 1, (w + 2 * padding - window) / stride + 1,
      window, stride, padding};
  const DType dtype = x.value().dtype();
  const Tensor y = Tensor::empty(ctx, {n, g.p, g.q, c}, dtype);
  const Tensor tap = Tensor::empty(ctx, y.shape(), DType::uint8);
  dispatch_floating(dtype, "max_pool", [&]<class Scalar>(Scalar) {
    dispatch_pack<Scalar>(ctx.device().is_cuda(), c, {x.value().raw(), y.raw(), tap.raw()}, [&]<int64_t kPack>() {
      for_each_item(ctx, n * g.p * g.q * PoolRuns<kPack>::of_pixel(g),
                    MaxPoolForward<Scalar, kPack>{g, x.value().data<Scalar>(), y.data<Scalar>(), tap.data<uint8_t>()});
    });
  });
  return record(ctx, "max_pool", y, {x}, [x, tap, g](Context& ctx2, const Tensor& dy) {
    const Tensor dx = Tensor::empty(ctx2, x.shape(), dy.dtype());
    dispatch_floating(dy.dtype(), "max_pool_backward", [&]<class Scalar>(Scalar) {
      dispatch_pack<Scalar>(ctx2.device().is_cuda(), g.c, {dy.raw(), tap.raw(), dx.raw()}, [&]<int64_t kPack>() {
        for_each_item(ctx2, x.size(0) * g.h * g.w * PoolRuns<kPack>::of_pixel(g),
                      MaxPoolBackward<Scalar, kPack>{g, dy.data<Scalar>(), tap.data<uint8_t>(), dx.data<Scalar>()});
      });
    });
    x.accumulate(ctx2, dx);
  });
}

}  // namespace tailseg
