#include "tensor/conv.h"
#include "tensor/conv_epilogue.h"
#include "tensor/conv_naive_body.h"
#include "tensor/elementwise.h"
#include "tensor/launch.h"

namespace tailseg {
namespace {

ConvSizes sizes_of(const Tensor& x, const Tensor& w, const Tensor& y, const ConvGeometry& geometry) {
  return {x.size(0), x.size(1), x.size(2),       x.size(3),        w.size(0),         w.size(1),      w.size(2),
          y.size(1), y.size(2), geometry.stride, geometry.padding, geometry.dilation, geometry.groups};
}

template <class Scalar>
const Scalar* optional(const Tensor& tensor) {
  return tensor.defined() ? tensor.data<Scalar>() : nullptr;
}

}  // namespace

void conv2d_naive(Context& ctx, const Tensor& x, const Tensor& w, const ConvGeometry& geometry,
                  const ConvEpilogue& epilogue, const Tensor& y) {
  const Tensor bias = full_bias(ctx, epilogue), residual = epilogue.residual ? *epilogue.residual : Tensor();
  dispatch_floating(x.dtype(), "conv2d", [&]<class Scalar>(Scalar) {
    for_each_item(ctx, y.elements(),
                  ConvForwardNaive<Scalar>{sizes_of(x, w, y, geometry), x.data<Scalar>(), w.data<Scalar>(),
                                           optional<ComputeType<Scalar>>(bias), optional<Scalar>(residual),
                                           y.data<Scalar>(), epilogue.relu});
  });
}

void conv2d_backward_data_naive(Context& ctx, const Tensor& dy, const Tensor& w, const ConvGeometry& geometry,
                                const ConvEpilogue& epilogue, const Tensor& dx) {
  const Tensor bias = full_bias(ctx, epilogue);
  dispatch_floating(dy.dtype(), "conv2d_backward_data", [&]<class Scalar>(Scalar) {
    for_each_item(ctx, dx.elements(),
                  ConvBackwardDataNaive<Scalar>{sizes_of(dx, w, dy, geometry), dy.data<Scalar>(), w.data<Scalar>(),
                                                optional<ComputeType<Scalar>>(bias), dx.data<Scalar>(), epilogue.relu});
  });
}

void conv2d_backward_filter_naive(Context& ctx, const Tensor& x, const Tensor& dy, const ConvGeometry& geometry,
                                  const Tensor& dw) {
  const Tensor full =
      dw.dtype() == compute_dtype(x.dtype()) ? dw : Tensor::empty(ctx, dw.shape(), compute_dtype(x.dtype()));
  dispatch_floating(x.dtype(), "conv2d_backward_filter", [&]<class Scalar>(Scalar) {
    for_each_item(ctx, dw.elements(),
                  ConvBackwardFilterNaive<Scalar>{sizes_of(x, dw, dy, geometry), x.data<Scalar>(), dy.data<Scalar>(),
                                                  full.data<ComputeType<Scalar>>()});
  });
  if (!full.same_memory(dw)) cast_into(ctx, full, dw);
}

}  // namespace tailseg
