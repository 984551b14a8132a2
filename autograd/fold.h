#pragma once

#include "autograd/variable.h"

namespace tailseg {

// A batch norm whose statistics are constants: gamma * (x - mean) / sqrt(var + eps) + beta, all [K], float32 (float64).
struct FrozenNorm {
  Variable gamma{}, beta{};
  Tensor mean{}, var{};
  double eps = 0;
  bool defined() const { return gamma.defined(); }
};

struct FoldedFilters {
  Tensor filters;  // shape of w
  Tensor bias;     // [K]
};

// The filters w [K, ..] with the norm behind them as filters of `dtype` and a bias of `bias_dtype`.
FoldedFilters fold_norm(Context& ctx, const Tensor& w, const FrozenNorm& norm, DType dtype, DType bias_dtype);
// From the gradients of the folded filters (float32 or bfloat16) and of the bias (float32): dw (may be dfolded itself)
// and dgamma. Either destination may be undefined.
void fold_norm_backward(Context& ctx, const Tensor& w, const FrozenNorm& norm, const Tensor& dfolded,
                        const Tensor& dbias, const Tensor& dw, const Tensor& dgamma);

}  // namespace tailseg
