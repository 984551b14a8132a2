// Two-dimensional convolution and its two gradients: oneDNN on the CPU, cuDNN on a GPU, and plain bodies as the oracle
// of both (and for float64). Activations are [N, H, W, C], filters [K, R, S, C] (K out, C in, R x S the window).
// With G groups, outputs [g K/G, (g+1) K/G) read inputs [g C/G, (g+1) C/G) only, and filters are [K, R, S, C/G].
// A transposed convolution's forward pass is conv2d_backward_data.
// bfloat16 is storage: sums are float32. The bias and the gradient of the filters are float32 (compute_dtype), or what
// conv_parameter_dtype says. Results are rounded once; on a GPU, where the library has no engine with the epilogue,
// before it and after it.
#pragma once

#include "tensor/tensor.h"

namespace tailseg {

struct ConvGeometry {
  int64_t stride = 1;
  int64_t padding = 0;
  int64_t dilation = 1;
  int64_t groups = 1;

  // Output size of one axis; throws when the window does not fit.
  int64_t output_size(int64_t input, int64_t window) const;
};

struct ConvEpilogue {                // y = relu(conv + bias + residual), each part optional
  const Tensor* bias = nullptr;      // [K], of y's compute_dtype or of conv_parameter_dtype
  const Tensor* residual = nullptr;  // shape of y
  bool relu = false;
};

// The dtype in which this device's library takes the bias and gives the gradient of the filters. It is the data's on a
// GPU (conv_cuda.cpp) and compute_dtype on the CPU; in compute_dtype both are taken everywhere, at the price of a cast.
DType conv_parameter_dtype(const Context& ctx, DType data);

// x [N, H, W, C], w [K, R, S, C/G] -> y [N, P, Q, K].
Tensor conv2d(Context& ctx, const Tensor& x, const Tensor& w, const ConvGeometry& geometry,
              const ConvEpilogue& epilogue = {});
// dy [N, P, Q, K], w -> dx of the given shape [N, H, W, C].
Tensor conv2d_backward_data(Context& ctx, const Tensor& dy, const Tensor& w, const Shape& x_shape,
                            const ConvGeometry& geometry, const ConvEpilogue& epilogue = {});
// x, dy -> dw of out's shape [K, R, S, C/G], written to out, of x's compute_dtype or of conv_parameter_dtype.
void conv2d_backward_filter(Context& ctx, const Tensor& x, const Tensor& dy, const ConvGeometry& geometry,
                            const Tensor& out);

// The bodies, on any device and dtype.
void conv2d_naive(Context& ctx, const Tensor& x, const Tensor& w, const ConvGeometry& geometry,
                  const ConvEpilogue& epilogue, const Tensor& y);
void conv2d_backward_data_naive(Context& ctx, const Tensor& dy, const Tensor& w, const ConvGeometry& geometry,
                                const ConvEpilogue& epilogue, const Tensor& dx);
void conv2d_backward_filter_naive(Context& ctx, const Tensor& x, const Tensor& dy, const ConvGeometry& geometry,
                                  const Tensor& dw);

// The libraries' versions, called after the checks. oneDNN's return false when the build has none.
bool conv2d_onednn(Context& ctx, const Tensor& x, const Tensor& w, const ConvGeometry& geometry,
                   const ConvEpilogue& epilogue, const Tensor& y);
bool conv2d_backward_data_onednn(Context& ctx, const Tensor& dy, const Tensor& w, const ConvGeometry& geometry,
                                 const ConvEpilogue& epilogue, const Tensor& dx);
bool conv2d_backward_filter_onednn(Context& ctx, const Tensor& x, const Tensor& dy, const ConvGeometry& geometry,
                                   const Tensor& dw);
void conv2d_cuda(Context& ctx, const Tensor& x, const Tensor& w, const ConvGeometry& geometry,
                 const ConvEpilogue& epilogue, const Tensor& y);
void conv2d_backward_data_cuda(Context& ctx, const Tensor& dy, const Tensor& w, const ConvGeometry& geometry,
                               const ConvEpilogue& epilogue, const Tensor& dx);
void conv2d_backward_filter_cuda(Context& ctx, const Tensor& x, const Tensor& dy, const ConvGeometry& geometry,
                                 const Tensor& dw);

}  // namespace tailseg
