#include "autograd/relu.h"

#include "autograd/relu_body.h"
#include "tensor/launch.h"

namespace tailseg {

Tensor relu_forward(Context& ctx, const Tensor& x) {
  Tensor y = Tensor::empty(ctx, x.shape(), x.dtype());
  dispatch_floating(x.dtype(), "relu", [&]<class Scalar>(Scalar) {
    dispatch_pack<Scalar>(ctx.device().is_cuda(), x.elements(), {x.raw(), y.raw()}, [&]<int64_t kPack>() {
      for_each_item(ctx, x.elements() / kPack, ReluForward<Scalar, kPack>{x.data<Scalar>(), y.data<Scalar>()});
    });
  });
  return y;
}

Tensor relu_backward(Context& ctx, const Tensor& dy, const Tensor& y) {
  Tensor dx = Tensor::empty(ctx, dy.shape(), dy.dtype());
  dispatch_floating(dy.dtype(), "relu_backward", [&]<class Scalar>(Scalar) {
    dispatch_pack<Scalar>(ctx.device().is_cuda(), dy.elements(), {dy.raw(), y.raw(), dx.raw()}, [&]<int64_t kPack>() {
      for_each_item(ctx, dy.elements() / kPack,
                    ReluBackward<Scalar, kPack>{dy.data<Scalar>(), y.data<Scalar>(), dx.data<Scalar>()});
    });
  });
  return dx;
}

Tensor broadcast_scalar(Context& ctx, const Tensor& scalar, const Shape& shape) {
  check_shape("broadcast_scalar", scalar, {1});
  Tensor out = Tensor::empty(ctx, shape, scalar.dtype());
  dispatch_floating(scalar.dtype(), "broadcast_scalar", [&]<class Scalar>(Scalar) {
    for_each_item(ctx, out.elements(), BroadcastScalar<Scalar>{scalar.data<Scalar>(), out.data<Scalar>()});
  });
  return out;
}

}  // namespace tailseg
