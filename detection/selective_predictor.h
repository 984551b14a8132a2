// Class-selective predictors (DESIGN 4): the last layer of the mask head, and of the box head in training, computed for
// each RoI's own class only. The results are those of the full layer followed by a pick; a [RoIs, 1203, 28, 28] tensor
// never exists. Gradients are gathered class by class, in the RoIs' order. Results are float32 for bfloat16 features
// too, and so are the parameters.
#pragma once

#include "autograd/normalized_linear.h"

namespace tailseg {

struct SelectiveOptions {
  Tensor filter_of = {};                          // [classes] int32: see FilterMap; undefined: class k has filters k
  const NormalizedOptions* normalized = nullptr;  // masks only: x and the filters divided by their length, x also
                                                  // times the temperature, pixel by pixel (METHODS 2.2)
};

// features [R, M, M, C] (after the deconvolution's relu), weight [K, 1, 1, C], bias [K], label [R] int32 class
// -> logits [R, M, M]. A label without filters (outside [0, K), or outside filter_of) gives zeros and no gradient; with
// K = 1 (class-agnostic) and no filter_of every label that is not negative uses the one filter.
Variable selective_mask(Context& ctx, const Variable& features, const Variable& weight, const Variable& bias,
                        const Tensor& label, const SelectiveOptions& options = {});

// features [R, F], weight [4 K, F], bias [4 K], label [R] int32 class -> offsets [R, 4]; labels likewise (background is
// outside).
Variable selective_deltas(Context& ctx, const Variable& features, const Variable& weight, const Variable& bias,
                          const Tensor& label, const SelectiveOptions& options = {});

}  // namespace tailseg
