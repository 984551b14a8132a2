// Convolutions whose windows do not overlap (window <= stride, no padding): 1x1 layers, and the 2x2 stride-2 layer
// whose data gradient is the mask head's transposed convolution. Each is one matrix product over patches,
//
//   y [N P Q, K] = patches [N P Q, R S C] w^T,   dpatches = dy w,   dw = dy^T patches,
//
// where the patches are x itself for a 1x1 stride-1 layer and a copy of x's pixels in another order otherwise. The
// library's product beats its 1x1 convolutions by 0 to 50 % on our layers and needs no conversion of the filters.
#pragma once

#include "tensor/conv.h"
#include "tensor/conv_naive_body.h"
#include "tensor/onednn_plan.h"

namespace tailseg::disjoint {

inline bool serves(const ConvSizes& g) {
  return g.r <= g.stride && g.s <= g.stride && g.padding == 0 && g.dilation == 1 && g.groups == 1;
}

void forward(Context& ctx, onednn::Plans& plans, const ConvSizes& g, const Tensor& x, const Tensor& w,
             const ConvEpilogue& epilogue, const Tensor& y);
void backward_data(Context& ctx, onednn::Plans& plans, const ConvSizes& g, const Tensor& dy, const Tensor& w,
                   const ConvEpilogue& epilogue, const Tensor& dx);
void backward_filter(Context& ctx, onednn::Plans& plans, const ConvSizes& g, const Tensor& x, const Tensor& dy,
                     const Tensor& dw);

}  // namespace tailseg::disjoint
