// The layers that networks are made of. A layer is a plain struct: its constructor registers parameters in a Scope, its
// call operator runs it. No base class, no virtual call.
#pragma once

#include "autograd/convolution.h"
#include "autograd/linear.h"
#include "nn/parameter.h"

namespace tailseg {

// What follows a backbone's convolutions.
enum class NormKind : unsigned char {
  frozen,  // statistics frozen: a per-channel scale and bias folded into the convolution
  batch,   // statistics of the batch while training, running statistics otherwise
};

struct NormOptions {
  NormKind kind = NormKind::frozen;
  bool affine_trained = true;  // frozen: mmdet trains gamma and beta (METHODS 5.1), torchvision and detectron2 do not
  double eps = 1e-5;
  double momentum = 0.1;
};

struct BatchNorm {
  Variable gamma, beta;  // "weight", "bias"
  Tensor running_mean, running_var;
  NormOptions options;

  BatchNorm() = default;
  BatchNorm(const Scope& scope, int64_t channels, const NormOptions& options);
};

struct ConvOptions {
  ConvGeometry geometry;
  bool bias = true;
  Initializer weight_init = Initializer::constant(0);
  Initializer bias_init = Initializer::constant(0);
};

// A convolution with a plain bias: x [N, H, W, C] -> [N, P, Q, K].
struct Conv {
  Variable weight, bias;
  ConvGeometry geometry;

  Conv() = default;
  Conv(const Scope& scope, int64_t in, int64_t out, int64_t window, const ConvOptions& options);
  Variable operator()(Context& ctx, const Variable& x, bool relu = false) const;
};

// A convolution without bias, its norm, an optional residual and relu, as one op where the norm is frozen.
struct ConvNorm {
  Variable weight;
  ConvGeometry geometry;
  BatchNorm norm;

  ConvNorm() = default;
  // Names: scope.sub(conv_name).weight and scope.sub(norm_name).{weight,bias,running_mean,running_var}.
  ConvNorm(const Scope& scope, const std::string& conv_name, const std::string& norm_name, int64_t in, int64_t out,
           int64_t window, const ConvGeometry& geometry, const NormOptions& norm_options);
  Variable operator()(Context& ctx, const Variable& x, bool training, bool relu, const Variable& residual = {}) const;
};

struct Linear {
  Variable weight, bias;  // [out, in], [out]

  Linear() = default;
  // flattened_channels > 0: the input is a flattened [H, W, C] map with that many channels (file order C, H, W).
  Linear(const Scope& scope, int64_t in, int64_t out, const Initializer& weight_init, const Initializer& bias_init,
         int64_t flattened_channels = 0);
  Variable operator()(Context& ctx, const Variable& x, const LinearOptions& options = {}) const;
};

}  // namespace tailseg
