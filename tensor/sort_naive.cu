#include "tensor/launch.h"
#include "tensor/sort.h"
#include "tensor/sort_naive_body.h"

namespace tailseg {

void topk_naive(Context& ctx, const Tensor& keys, const Tensor* counts, const RankedRows& out) {
  const int64_t n = keys.size(1), k = out.values.size(1);
  dispatch_full(keys.dtype(), "topk", [&]<class Scalar>(Scalar) {
    using Body = TopkNaive<Scalar>;
    for_each_item(ctx, keys.size(0) * Body::items_per_row(n, k),
                  Body{keys.data<Scalar>(), counts ? counts->data<int32_t>() : nullptr, out.values.data<Scalar>(),
                       out.indices.data<int32_t>(), n, k});
  });
}

void exclusive_scan_naive(Context& ctx, const Tensor& x, const Tensor& out) {
  const int64_t n = x.size(-1);
  if (x.dtype() == DType::int32)
    for_each_item(ctx, out.elements(), ExclusiveScanNaive<int32_t>{x.data<int32_t>(), out.data<int32_t>(), n});
  else
    for_each_item(ctx, out.elements(), ExclusiveScanNaive<int64_t>{x.data<int64_t>(), out.data<int64_t>(), n});
}

}  // namespace tailseg
