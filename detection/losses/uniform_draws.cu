#include "detection/losses/uniform_draws.h"

#include "detection/losses/uniform_draws_body.h"
#include "tensor/launch.h"

namespace tailseg {

Tensor uniform_draws(Context& ctx, const Shape& shape, const UniformDrawsInput& input) {
  TS_CHECK(shape.axes() == 2, "uniform_draws: shape ", shape, "; expected [rows, n]");
  if (input.rows.defined()) check_shape("uniform_draws: rows", input.rows, {shape[0]});
  const Tensor out = Tensor::empty(ctx, shape);
  for_each_item(ctx, shape[0],
                UniformDraws{input.rows.defined() ? input.rows.data<int32_t>() : nullptr,
                             input.steps.defined() ? input.steps.data<int32_t>() : nullptr, out.data<float>(), shape[1],
                             input.key, input.step});
  return out;
}

}  // namespace tailseg
