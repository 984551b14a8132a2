#include "nn/layers.h"

#include "autograd/batch_norm.h"
#include "autograd/fold.h"

namespace tailseg {

BatchNorm::BatchNorm(const Scope& scope, int64_t channels, const NormOptions& opts) : options(opts) {
  gamma =
      scope.store().add_parameter(scope.full("weight"), {channels}, Initializer::constant(1), FileOrder::same, 0, true);
  beta =
      scope.store().add_parameter(scope.full("bias"), {channels}, Initializer::constant(0), FileOrder::same, 0, true);
  running_mean = scope.store().add_buffer(scope.full("running_mean"), {channels}, 0);
  running_var = scope.store().add_buffer(scope.full("running_var"), {channels}, 1);
  if (opts.kind == NormKind::frozen && !opts.affine_trained) {
    gamma.set_requires_grad(false);
    beta.set_requires_grad(false);
  }
}

Conv::Conv(const Scope& scope, int64_t in, int64_t out, int64_t window, const ConvOptions& options)
    : geometry(options.geometry) {
  weight = scope.store().add_parameter(scope.full("weight"), {out, window, window, in}, options.weight_init,
                                       FileOrder::filters);
  if (options.bias) bias = scope.store().add_parameter(scope.full("bias"), {out}, options.bias_init);
}

Variable Conv::operator()(Context& ctx, const Variable& x, bool relu) const {
  return convolution(ctx, x, weight, geometry, {.bias = bias, .relu = relu});
}

ConvNorm::ConvNorm(const Scope& scope, const std::string& conv_name, const std::string& norm_name, int64_t in,
                   int64_t out, int64_t window, const ConvGeometry& geom, const NormOptions& norm_options)
    : geometry(geom) {
  TS_CHECK(geom.groups > 0 && in % geom.groups == 0, scope.full(conv_name), ": ", in, " channels cannot be cut into ",
           geom.groups, " groups");
  const Shape shape{out, window, window, in / geom.groups};
  weight = scope.store().add_parameter(scope.full(conv_name + ".weight"), shape,
                                       Initializer::kaiming_normal_fan_out(shape), FileOrder::filters);
  norm = BatchNorm(scope.sub(norm_name), out, norm_options);
}

Variable ConvNorm::operator()(Context& ctx, const Variable& x, bool training, bool relu,
                              const Variable& residual) const {
  if (norm.options.kind == NormKind::batch && training) {
    const Variable y = convolution(ctx, x, weight, geometry);
    return batch_norm(ctx, y, norm.gamma, norm.beta, norm.running_mean, norm.running_var, norm.options.eps,
                      norm.options.momentum, residual, relu);
  }
  const FrozenNorm frozen{norm.gamma, norm.beta, norm.running_mean, norm.running_var, norm.options.eps};
  return convolution(ctx, x, weight, geometry, {.norm = frozen, .residual = residual, .relu = relu});
}

Linear::Linear(const Scope& scope, int64_t in, int64_t out, const Initializer& weight_init,
               const Initializer& bias_init, int64_t flattened_channels) {
  weight =
      scope.store().add_parameter(scope.full("weight"), {out, in}, weight_init,
                                  flattened_channels > 0 ? FileOrder::flattened : FileOrder::same, flattened_channels);
  bias = scope.store().add_parameter(scope.full("bias"), {out}, bias_init);
}

Variable Linear::operator()(Context& ctx, const Variable& x, const LinearOptions& options) const {
  return linear(ctx, x, weight, bias, options);
}

}  // namespace tailseg
