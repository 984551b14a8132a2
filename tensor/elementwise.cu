#include "tensor/elementwise.h"

#include "tensor/device_check.h"
#include "tensor/elementwise_body.h"
#include "tensor/launch.h"

namespace tailseg {
namespace {

void check_alike(const Context& ctx, const char* what, const Tensor& a, const Tensor& b) {
  TS_CHECK(a.defined() && b.defined(), what, ": an operand is undefined");
  TS_CHECK(a.shape() == b.shape() && a.dtype() == b.dtype(), what, ": operands differ: ", a.shape(), " ",
           name_of(a.dtype()), " and ", b.shape(), " ", name_of(b.dtype()));
  check_device(ctx, what, "the first operand", a);
  check_device(ctx, what, "the second operand", b);
}

void check_defined(const Context& ctx, const char* what, const Tensor& a) {
  TS_CHECK(a.defined(), what, ": the operand is undefined");
  check_device(ctx, what, "the operand", a);
}

void axpby(Context& ctx, const Tensor& a, double alpha, const Tensor& b, double beta, const Tensor& out) {
  dispatch_floating(a.dtype(), "axpby", [&]<class Scalar>(Scalar) {
    using Real = ComputeType<Scalar>;
    dispatch_pack<Scalar>(ctx.device().is_cuda(), a.elements(), {a.raw(), b.raw(), out.raw()}, [&]<int64_t kPack>() {
      for_each_item(
          ctx, a.elements() / kPack,
          Axpby<Scalar, kPack>{a.data<Scalar>(), b.data<Scalar>(), out.data<Scalar>(), Real(alpha), Real(beta)});
    });
  });
}

}  // namespace

Tensor add(Context& ctx, const Tensor& a, const Tensor& b) {
  check_alike(ctx, "add", a, b);
  Tensor out = Tensor::empty(ctx, a.shape(), a.dtype());
  axpby(ctx, a, 1, b, 1, out);
  return out;
}

void add_in_place(Context& ctx, const Tensor& to, const Tensor& x) {
  check_alike(ctx, "add_in_place", to, x);
  axpby(ctx, to, 1, x, 1, to);
}

Tensor multiply(Context& ctx, const Tensor& a, const Tensor& b) {
  check_alike(ctx, "multiply", a, b);
  Tensor out = Tensor::empty(ctx, a.shape(), a.dtype());
  dispatch_floating(a.dtype(), "multiply", [&]<class Scalar>(Scalar) {
    dispatch_pack<Scalar>(ctx.device().is_cuda(), a.elements(), {a.raw(), b.raw(), out.raw()}, [&]<int64_t kPack>() {
      for_each_item(ctx, a.elements() / kPack,
                    MultiplyElements<Scalar, kPack>{a.data<Scalar>(), b.data<Scalar>(), out.data<Scalar>()});
    });
  });
  return out;
}

Tensor scale(Context& ctx, const Tensor& a, double alpha) {
  check_defined(ctx, "scale", a);
  Tensor out = Tensor::empty(ctx, a.shape(), a.dtype());
  dispatch_floating(a.dtype(), "scale", [&]<class Scalar>(Scalar) {
    dispatch_pack<Scalar>(ctx.device().is_cuda(), a.elements(), {a.raw(), out.raw()}, [&]<int64_t kPack>() {
      for_each_item(ctx, a.elements() / kPack,
                    ScaleElements<Scalar, kPack>{a.data<Scalar>(), out.data<Scalar>(), ComputeType<Scalar>(alpha)});
    });
  });
  return out;
}

Tensor cast(Context& ctx, const Tensor& a, DType dtype) {
  check_defined(ctx, "cast", a);
  if (a.dtype() == dtype) return a;
  Tensor out = Tensor::empty(ctx, a.shape(), dtype);
  cast_into(ctx, a, out);
  return out;
}

void cast_into(Context& ctx, const Tensor& from, const Tensor& to) {
  TS_CHECK(from.elements() == to.elements(), "cast: ", from.shape(), " into ", to.shape());
  dispatch_floating(from.dtype(), "cast", [&]<class From>(From) {
    dispatch_floating(to.dtype(), "cast", [&]<class To>(To) {
      using Wider = std::conditional_t<(sizeof(From) > sizeof(To)), From, To>;
      dispatch_pack<Wider>(ctx.device().is_cuda(), from.elements(), {from.raw(), to.raw()}, [&]<int64_t kPack>() {
        for_each_item(ctx, from.elements() / kPack, CastElements<From, To, kPack>{from.data<From>(), to.data<To>()});
      });
    });
  });
}

Tensor sum_all(Context& ctx, const Tensor& a) {
  check_defined(ctx, "sum_all", a);
  Tensor total;
  dispatch_floating(a.dtype(), "sum_all", [&]<class Scalar>(Scalar) {
    using Real = ComputeType<Scalar>;
    const int64_t n = a.elements();
    const int64_t chunks = (n + SumChunk<Scalar>::kChunk - 1) / SumChunk<Scalar>::kChunk;
    Tensor partial = Tensor::empty(ctx, {chunks}, dtype_of<Real>());
    total = Tensor::empty(ctx, {1}, dtype_of<Real>());
    for_each_item(ctx, chunks, SumChunk<Scalar>{a.data<Scalar>(), partial.data<Real>(), n});
    for_each_item(ctx, 1, SumRow<Real>{partial.data<Real>(), total.data<Real>(), chunks});
  });
  return total;
}

}  // namespace tailseg
