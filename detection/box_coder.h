// Boxes as offsets from reference boxes (anchors or proposals), the form in which a network predicts them
// (Girshick et al., "Rich feature hierarchies", 2014, appendix C).
//
//   encode  dx = (gx - px) / pw * weight_x,  dw = log(gw / pw) * weight_w   (p reference, g box; x the centre)
//   decode  gx = px + pw * dx / weight_x,    gw = pw * exp(dw / weight_w)
//
// y and h alike. A weight is the inverse of mmdet's "std". float32, and float64 on the CPU.
#pragma once

#include <array>

#include "tensor/tensor.h"

namespace tailseg {

struct BoxCoderOptions {
  std::array<double, 4> weights = {1, 1, 1, 1};  // of dx, dy, dw, dh. METHODS 5.2, 5.3: RPN 1; box head 10, 10, 5, 5
  double largest_log = 4.135166556742356;        // dw and dh are clamped to log(1000 / 16)
  bool clamp_both_sides = true;                  // METHODS 5.3 "dw,dh clamp": mmdet both sides, else the upper only
};

// Offsets of targets [R, 4] from references [R, 4] -> [R, 4]. A reference or target without area gives non-finite
// offsets; callers weigh such rows with nothing.
Tensor encode_boxes(Context& ctx, const Tensor& references, const Tensor& targets, const BoxCoderOptions& options);

// Where decoded boxes are clipped to (METHODS 5.3 "decode clip"). sizes [N, 2] int32: height and width of each image;
// rows of the references are the images' one after the other, the same number for each. Null: no clipping.
struct ClipToImages {
  const Tensor* sizes = nullptr;
};

// deltas [R, 4 * K] from references [R, 4] -> boxes [R, K, 4]. K is 1 for class-agnostic offsets.
Tensor decode_boxes(Context& ctx, const Tensor& references, const Tensor& deltas, const BoxCoderOptions& options,
                    const ClipToImages& clip = {});

}  // namespace tailseg
