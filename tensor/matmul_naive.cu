#include "tensor/launch.h"
#include "tensor/matmul.h"
#include "tensor/matmul_naive_body.h"

namespace tailseg {

void matmul_naive(Context& ctx, const Tensor& a, const Tensor& b, const MatmulOptions& options, const Tensor& out) {
  const int64_t n = out.size(1);
  const int64_t k = a.size(options.transpose_a ? 0 : 1);
  const int64_t m = out.size(0);
  dispatch_floating(a.dtype(), "matmul", [&]<class Scalar>(Scalar) {
    using Real = ComputeType<Scalar>;
    const auto run = [&]<class Out>(Out) {
      for_each_item(ctx, out.elements(),
                    MatmulNaive<Scalar, Out>{a.data<Scalar>(), b.data<Scalar>(),
                                             options.bias ? options.bias->data<Real>() : nullptr, out.data<Out>(), n, k,
                                             options.transpose_a ? 1 : k, options.transpose_a ? m : 1,
                                             options.transpose_b ? 1 : n, options.transpose_b ? k : 1, options.relu});
    };
    if (out.dtype() == dtype_of<Scalar>())
      run(Scalar{});
    else
      run(Real{});
  });
}

}  // namespace tailseg
