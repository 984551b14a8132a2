#include "tensor/fill.h"

#include "tensor/fill_body.h"
#include "tensor/launch.h"

namespace tailseg {
namespace {

template <class Scalar>
void fill_with(Context& ctx, const Tensor& tensor, Scalar value) {
  for_each_item(ctx, tensor.elements(), FillElement<Scalar>{tensor.data<Scalar>(), value});
}

}  // namespace

void fill_elements(Context& ctx, const Tensor& tensor, double value) {
  switch (tensor.dtype()) {
    case DType::int32:
      return fill_with(ctx, tensor, static_cast<int32_t>(value));
    case DType::int64:
      return fill_with(ctx, tensor, static_cast<int64_t>(value));
    case DType::uint8:
      return fill_with(ctx, tensor, static_cast<uint8_t>(value));
    default:
      dispatch_floating(tensor.dtype(), "fill", [&]<class Scalar>(Scalar) {
        fill_with(ctx, tensor, Scalar(static_cast<ComputeType<Scalar>>(value)));
      });
  }
}

}  // namespace tailseg
