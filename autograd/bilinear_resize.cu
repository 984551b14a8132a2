#include "autograd/bilinear_resize.h"

#include "autograd/bilinear_resize_body.h"
#include "tensor/launch.h"

namespace tailseg {
namespace {

template <class Real>
ResizeAxis<Real> axis_of(int64_t from, int64_t to, bool align_corners) {
  if (!align_corners) return {from, to, Real(from) / Real(to), false};
  return {from, to, to > 1 ? Real(from - 1) / Real(to - 1) : Real(0), true};
}

}  // namespace

Variable bilinear_resize(Context& ctx, const Variable& x, int64_t height, int64_t width, bool align_corners) {
  check_shape("bilinear_resize", x.value(), {-1, -1, -1, -1});
  TS_CHECK(height > 0 && width > 0 && x.size(1) > 0 && x.size(2) > 0, "bilinear_resize of ", x.shape(), " to ", height,
           " x ", width);
  const DType dtype = x.value().dtype();
  const Tensor y = Tensor::empty(ctx, {x.size(0), height, width, x.size(3)}, dtype);
  dispatch_floating(dtype, "bilinear_resize", [&]<class Scalar>(Scalar) {
    using Real = ComputeType<Scalar>;
    for_each_item(ctx, x.size(0) * height * width,
                  BilinearResizeForward<Scalar>{axis_of<Real>(x.size(1), height, align_corners),
                                                axis_of<Real>(x.size(2), width, align_corners),
                                                x.value().data<Scalar>(), y.data<Scalar>(), x.size(3)});
  });
  return record(ctx, "bilinear_resize", y, {x}, [x, height, width, align_corners](Context& c, const Tensor& dy) {
    const Tensor dx = x.grad_destination(c);
    dispatch_floating(dy.dtype(), "bilinear_resize", [&]<class Scalar>(Scalar) {
      using Real = ComputeType<Scalar>;
      for_each_item(c, x.size(0) * x.size(1) * x.size(2),
                    BilinearResizeBackward<Scalar>{axis_of<Real>(x.size(1), height, align_corners),
                                                   axis_of<Real>(x.size(2), width, align_corners), dy.data<Scalar>(),
                                                   dx.data<Scalar>(), x.size(3)});
    });
    x.accumulate(c, dx);
  });
}

}  // namespace tailseg
