#include <algorithm>
#include <cstring>

#include "tensor/onednn_disjoint.h"
#include "tensor/onednn_matmul.h"
#include "tensor/parallel.h"
#include "tensor/profiler.h"

namespace tailseg::disjoint {
namespace {

using onednn::Plans;
using onednn::Product;
using onednn::Scratch;

bool is_plain(const ConvSizes& g) { return g.stride == 1; }  // the patches are x itself

// Output pixels at a time, so that a block's patches or outputs are still in the last cache when they are read again.
int64_t block_rows(int64_t columns) { return std::max<int64_t>(64, (int64_t{4} << 20) / (4 * columns)); }

Cost cost_of(const ConvSizes& g, bool residual, DType dtype) {
  const double outputs = double(g.n * g.p * g.q * g.k);
  const double read = double(g.n * g.p * g.q * g.r * g.s * g.c);
  return {double(size_of(dtype)) * (read + double(g.k * g.r * g.s * g.c) + outputs * (residual ? 2 : 1)),
          2 * g.products()};
}

// Where output pixel `row` reads window line r: a run of s * c numbers.
int64_t run_offset(const ConvSizes& g, int64_t row, int64_t r) {
  const int64_t q = row % g.q, p = row / g.q % g.p, n = row / (g.q * g.p);
  return ((n * g.h + p * g.stride + r) * g.w + q * g.stride) * g.c;
}

// Patches [rows, R S C] of the output pixels [begin, end), in x's dtype.
void gather(Context& ctx, const ConvSizes& g, const Tensor& from_x, int64_t begin, int64_t end, void* to_patches) {
  const auto size = static_cast<int64_t>(size_of(from_x.dtype())), run = g.s * g.c * size;
  const char* x = static_cast<const char*>(from_x.raw());
  char* patches = static_cast<char*>(to_patches);
  parallel_ranges(ctx.threads(), end - begin, [=](int64_t from, int64_t to) {
    for (int64_t row = from; row < to; ++row) {
      for (int64_t r = 0; r < g.r; ++r) {
        std::memcpy(patches + (row * g.r + r) * run, x + run_offset(g, begin + row, r) * size,
                    static_cast<size_t>(run));
      }
    }
  });
}

// The way back from float32 patches, with a transposed convolution's epilogue.
template <class Scalar>
void scatter(Context& ctx, const ConvSizes& g, const float* patches, int64_t begin, int64_t end,
             const ConvEpilogue& epilogue, Scalar* dx) {
  const float* bias = epilogue.bias ? epilogue.bias->data<float>() : nullptr;
  const bool relu = epilogue.relu;
  parallel_ranges(ctx.threads(), end - begin, [=](int64_t from, int64_t to) {
    for (int64_t row = from; row < to; ++row) {
      for (int64_t r = 0; r < g.r; ++r) {
        for (int64_t s = 0; s < g.s; ++s) {
          const float* source = patches + ((row * g.r + r) * g.s + s) * g.c;
          Scalar* target = dx + run_offset(g, begin + row, r) + s * g.c;
          for (int64_t c = 0; c < g.c; ++c) {
            const float value = bias ? source[c] + bias[c] : source[c];
            target[c] = Scalar(relu && value < 0.0f ? 0.0f : value);
          }
        }
      }
    }
  });
}

// What no window reads has the gradient 0, plus the epilogue.
template <class Scalar>
void fill_unread(Context& ctx, const ConvSizes& g, const ConvEpilogue& epilogue, Scalar* to) {
  if (g.r == g.stride && g.s == g.stride && g.p * g.stride == g.h && g.q * g.stride == g.w) return;
  const float* bias = epilogue.bias ? epilogue.bias->data<float>() : nullptr;
  const bool relu = epilogue.relu;
  parallel_ranges(ctx.threads(), g.n * g.h * g.w, [=](int64_t from, int64_t end) {
    for (int64_t pixel = from; pixel < end; ++pixel) {
      for (int64_t c = 0; c < g.c; ++c) {
        const float value = bias ? bias[c] : 0.0f;
        to[pixel * g.c + c] = Scalar(relu && value < 0.0f ? 0.0f : value);
      }
    }
  });
}

void copy(Context& ctx, const char* from, int64_t bytes, char* to) {
  parallel_ranges(ctx.threads(), bytes, [=](int64_t begin, int64_t end) {
    std::memcpy(to + begin, from + begin, static_cast<size_t>(end - begin));
  });
}

// Row `row` of a tensor of rows of `columns` numbers.
char* row_of(const Tensor& tensor, int64_t row, int64_t columns) {
  return static_cast<char*>(tensor.raw()) + row * columns * static_cast<int64_t>(size_of(tensor.dtype()));
}

}  // namespace

void forward(Context& ctx, Plans& plans, const ConvSizes& g, const Tensor& x, const Tensor& w,
             const ConvEpilogue& epilogue, const Tensor& y) {
  KernelScope scope(ctx, "conv_forward_matmul", cost_of(g, epilogue.residual, x.dtype()));
  const int64_t rows = g.n * g.p * g.q, inner = g.r * g.s * g.c;
  // One block where nothing but the product touches the memory.
  const bool plain = is_plain(g);
  const int64_t block = plain && !epilogue.residual ? rows : std::min(rows, block_rows(plain ? g.k : inner));
  Scratch::Frame scratch(plans.scratch());
  void* patches = scratch.take(plain ? 0 : size_of(x.dtype()) * static_cast<size_t>(block * inner));
  for (int64_t begin = 0; begin < rows; begin += block) {
    const int64_t end = std::min(rows, begin + block);
    char* to = row_of(y, begin, g.k);
    if (!plain) gather(ctx, g, x, begin, end, patches);
    if (epilogue.residual) {
      copy(ctx, row_of(*epilogue.residual, begin, g.k), row_of(y, end, g.k) - to, to);
    }
    const Product product{.m = end - begin,
                          .n = g.k,
                          .k = inner,
                          .transpose_b = true,
                          .bias = epilogue.bias != nullptr,
                          .add = epilogue.residual != nullptr,
                          .relu = epilogue.relu,
                          .in = x.dtype(),
                          .out = x.dtype()};
    onednn::multiply(ctx, plans, product, plain ? row_of(x, begin, inner) : patches, w.raw(),
                     epilogue.bias ? epilogue.bias->data<float>() : nullptr, to);
  }
}

void backward_data(Context& ctx, Plans& plans, const ConvSizes& g, const Tensor& dy, const Tensor& w,
                   const ConvEpilogue& epilogue, const Tensor& dx) {
  KernelScope scope(ctx, "conv_backward_data_matmul", cost_of(g, false, dy.dtype()));
  const int64_t rows = g.n * g.p * g.q, inner = g.r * g.s * g.c;
  if (is_plain(g)) {
    const Product product{.m = rows,
                          .n = inner,
                          .k = g.k,
                          .bias = epilogue.bias != nullptr,
                          .relu = epilogue.relu,
                          .in = dy.dtype(),
                          .out = dy.dtype()};
    return onednn::multiply(ctx, plans, product, dy.raw(), w.raw(),
                            epilogue.bias ? epilogue.bias->data<float>() : nullptr, dx.raw());
  }
  const int64_t block = std::min(rows, block_rows(inner));
  Scratch::Frame scratch(plans.scratch());
  float* patches = scratch.floats(sizeof(float) * static_cast<size_t>(block * inner));
  dispatch_floating(dx.dtype(), "conv2d_backward_data", [&]<class Scalar>(Scalar) {
    fill_unread(ctx, g, epilogue, dx.data<Scalar>());
    for (int64_t begin = 0; begin < rows; begin += block) {
      const int64_t end = std::min(rows, begin + block);
      onednn::multiply(ctx, plans, {.m = end - begin, .n = inner, .k = g.k, .in = dy.dtype()}, row_of(dy, begin, g.k),
                       w.raw(), nullptr, patches);
      scatter(ctx, g, patches, begin, end, epilogue, dx.data<Scalar>());
    }
  });
}

void backward_filter(Context& ctx, Plans& plans, const ConvSizes& g, const Tensor& x, const Tensor& dy,
                     const Tensor& dw) {
  KernelScope scope(ctx, "conv_backward_filter_matmul", cost_of(g, false, x.dtype()));
  const int64_t rows = g.n * g.p * g.q, inner = g.r * g.s * g.c;
  const bool plain = is_plain(g);
  const int64_t block = plain ? rows : std::min(rows, block_rows(inner));
  Scratch::Frame scratch(plans.scratch());
  void* patches = scratch.take(plain ? 0 : size_of(x.dtype()) * static_cast<size_t>(block * inner));
  for (int64_t begin = 0; begin < rows; begin += block) {
    const int64_t end = std::min(rows, begin + block);
    if (!plain) gather(ctx, g, x, begin, end, patches);
    const Product product{
        .m = g.k, .n = inner, .k = end - begin, .transpose_a = true, .add = begin > 0, .in = x.dtype()};
    onednn::multiply(ctx, plans, product, row_of(dy, begin, g.k), plain ? x.raw() : patches, nullptr, dw.raw());
  }
}

}  // namespace tailseg::disjoint
