#include "tensor/conv_epilogue.h"

#include "tensor/conv_epilogue_body.h"
#include "tensor/elementwise.h"
#include "tensor/launch.h"

namespace tailseg {

Tensor full_bias(Context& ctx, const ConvEpilogue& epilogue) {
  return epilogue.bias ? cast(ctx, *epilogue.bias, compute_dtype(epilogue.bias->dtype())) : Tensor();
}

void apply_conv_epilogue(Context& ctx, const Tensor& y, const ConvEpilogue& epilogue) {
  if (!epilogue.bias && !epilogue.residual && !epilogue.relu) return;
  const int64_t channels = y.size(-1);
  if (y.elements() == 0) return;
  const Tensor full = full_bias(ctx, epilogue);
  dispatch_floating(y.dtype(), "conv_epilogue", [&]<class Scalar>(Scalar) {
    using Real = ComputeType<Scalar>;
    const Real* bias = full.defined() ? full.data<Real>() : nullptr;
    const Scalar* residual = epilogue.residual ? epilogue.residual->data<Scalar>() : nullptr;
    dispatch_pack<Scalar>(ctx.device().is_cuda(), channels, {y.raw(), residual, bias}, [&]<int64_t kPack>() {
      for_each_item(ctx, y.elements() / channels,
                    ConvEpilogueBody<Scalar, kPack>{y.data<Scalar>(), bias, residual, channels, epilogue.relu});
    });
  });
}

}  // namespace tailseg
