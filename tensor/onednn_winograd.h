// 3x3 stride-1 convolutions by Winograd's F(4x4, 3x3): 36 products for 16 outputs where the definition has 144.
//
// The transforms are ours and read and write [N, H, W, C] in place; the products between them are one batched matrix
// product of the library for each chunk of tiles. A chunk is small enough that its two buffers stay in the caches:
//
//   x [N, H, W, C] -> V [36, tiles, C];   w [K, 3, 3, C] -> U [36, C, K];   M = V U [36, tiles, K] -> y [N, P, Q, K]
//
// The library has a Winograd of its own, but for blocked layouts only; this one is faster even without the conversions
// (figures in winograd_onednn.cpp), and runs its epilogue in the last transform.
#pragma once

#include "tensor/conv.h"
#include "tensor/conv_naive_body.h"
#include "tensor/onednn_plan.h"

namespace tailseg::winograd {

enum class Direction { forward, backward_data, backward_filter };

// True where these functions serve the layer and are faster than a direct algorithm of `speed` times the library's
// float32 rate.
bool pays(const ConvSizes& g, Direction direction, int64_t speed = 1);

// y = relu(conv + bias + residual), as conv2d.
void forward(Context& ctx, onednn::Plans& plans, const ConvSizes& g, const Tensor& x, const Tensor& w,
             const ConvEpilogue& epilogue, const Tensor& y);
// dx, as conv2d_backward_data: the forward pass of dy with the filters turned round.
void backward_data(Context& ctx, onednn::Plans& plans, const ConvSizes& g, const Tensor& dy, const Tensor& w,
                   const ConvEpilogue& epilogue, const Tensor& dx);
// dw, as conv2d_backward_filter.
void backward_filter(Context& ctx, onednn::Plans& plans, const ConvSizes& g, const Tensor& x, const Tensor& dy,
                     const Tensor& dw);

}  // namespace tailseg::winograd
