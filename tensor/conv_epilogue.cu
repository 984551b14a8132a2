#include "tensor/conv_epilogue.h"

#include "tensor/conv_epilogue_body.h"
#include "tensor/launch.h"

namespace tailseg {

void apply_conv_epilogue(Context& ctx, const Tensor& y, const ConvEpilogue& epilogue) {
  if (!epilogue.bias && !epilogue.residual && !epilogue.relu) return;
  const int64_t channels = y.size(-1);
  if (y.elements() == 0) return;
  dispatch_floating(y.dtype(), "conv_epilogue", [&]<class Scalar>(Scalar) {
    for_each_item(ctx, y.elements() / channels,
                  ConvEpilogueBody<Scalar>{
                      y.data<Scalar>(), epilogue.bias ? epilogue.bias->data<ComputeType<Scalar>>() : nullptr,
                      epilogue.residual ? epilogue.residual->data<Scalar>() : nullptr, channels, epilogue.relu});
  });
}

}  // namespace tailseg
