// The filters' gradient by Winograd's F(3x3, 4x4): the same transformed patches as the forward pass, the output
// gradient's 4x4 tiles transformed likewise, 36 products over all tiles, and back to 3x3 taps.
//
//   x -> V [36, tiles, C];   dy -> D [36, tiles, K];   W = D^T V [36, K, C], summed over chunks of tiles -> dw [K, 3,
//   3, C]
//
// Every thread owns some of the 36 products for all chunks, so the sum's order does not depend on timing.
#include "tensor/onednn_winograd.h"
#include "tensor/onednn_winograd_grid.h"
#include "tensor/parallel.h"
#include "tensor/profiler.h"

namespace tailseg::winograd {
namespace {

using dnnl::memory;
using onednn::Plan;
using onednn::Plans;
using onednn::Scratch;

Plan plan_products(const dnnl::engine& engine, int64_t batch, int64_t tiles, int64_t c, int64_t k, bool add) {
  const std::string shapes =
      text("Winograd gradient products: ", batch, " of ", k, " x ", tiles, " times ", tiles, " x ", c);
  return onednn::checked(shapes, [&] {
    const auto f32 = memory::data_type::f32;
    const memory::desc d({batch, k, tiles}, f32, memory::dims{Matrices::stride(tiles, k), 1, k});
    const memory::desc v({batch, tiles, c}, f32, memory::dims{Matrices::stride(tiles, c), c, 1});
    const memory::desc w({batch, k, c}, f32, memory::dims{Matrices::stride(k, c), c, 1});
    const onednn::ThreadScope one(1);
    const dnnl::matmul::primitive_desc primitive(dnnl::matmul::desc(d, v, w), onednn::make_attributes(add, false),
                                                 engine);
    Plan plan;
    plan.shapes = shapes;
    plan.primitive = dnnl::matmul(primitive);
    plan.operands = {onednn::make_operand(engine, DNNL_ARG_SRC, d, d, false),
                     onednn::make_operand(engine, DNNL_ARG_WEIGHTS, v, v, false),
                     onednn::make_operand(engine, DNNL_ARG_DST, w, w, true)};
    plan.scratchpad = primitive.scratchpad_desc();
    return plan;
  });
}

void clear_row(const Matrices& matrices, int64_t row) {
  for (int e = 0; e < kProducts; ++e) std::fill_n(matrices.at(e, row), matrices.columns, 0.0f);
}

// W [36, k, c] -> dw [k, 3, 3, c].
void transform_back(int threads, const Matrices& w, float* dw) {
  parallel_ranges(threads, w.rows, [&, dw](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k) {
      const float* first = w.at(0, k);
      float* taps = dw + k * kTaps * kTaps * w.columns;
      for (int64_t c = 0; c < w.columns; c += kLanes) {
        Lanes products[kPatch][kPatch], out[kTaps][kTaps];
#pragma GCC unroll 36
        for (int e = 0; e < kProducts; ++e) products[e / kPatch][e % kPatch] = load(first + e * w.stride() + c);
        transform_both<kPatch, kTaps>(products, out, transform_taps_gradient);
        for (int tap = 0; tap < kTaps * kTaps; ++tap) store(taps + tap * w.columns + c, out[tap / kTaps][tap % kTaps]);
      }
    }
  });
}

}  // namespace

void backward_filter(Context& ctx, Plans& plans, const ConvSizes& g, const Tensor& x, const Tensor& dy,
                     const Tensor& dw) {
  const Grid grid(g.n, g.h, g.w, g.p, g.q, g.padding);
  const int64_t tiles = grid.tiles();
  // Measured for 32 to 512 channels: 64 to 128 tiles at a time are best or within 5 % of it. Fewer, and reading and
  // writing W weighs; more, and V and D leave the caches.
  constexpr int64_t rows = 128;
  const int64_t chunks = (tiles + rows - 1) / rows, size = (tiles + chunks - 1) / chunks;
  const int64_t shares = product_shares(ctx.threads()), batch = kProducts / shares;
  KernelScope scope(ctx, "conv_backward_filter_winograd",
                    {4.0 * double(x.elements() + dy.elements() + dw.elements()),
                     2.0 * kProducts * double(tiles) * double(g.c) * double(g.k)});
  const onednn::ThreadScope one(1);

  Scratch::Frame frame(plans.scratch());
  const Matrices v{frame.floats(Matrices::bytes(size, g.c)), size, g.c},
      d{frame.floats(Matrices::bytes(size, g.k)), size, g.k}, w{frame.floats(Matrices::bytes(g.k, g.c)), g.k, g.c};
  const auto multiply = [&](bool add) {
    const Plan& plan = plans.find({6, batch, size, g.c, g.k, add}, [&](const dnnl::engine& engine) {
      return plan_products(engine, batch, size, g.c, g.k, add);
    });
    const size_t scratch_bytes = plan.scratchpad.get_size();
    Scratch::Frame product(plans.scratch());
    char* scratch = static_cast<char*>(product.take(static_cast<size_t>(shares) * scratch_bytes));
    parallel_ranges(ctx.threads(), shares, [&](int64_t from, int64_t to) {
      for (int64_t share = from; share < to; ++share) {
        const int64_t e = share * batch;
        plans.execute(plan, {d.at(e, 0), v.at(e, 0), w.at(e, 0)}, scratch + scratch_bytes * static_cast<size_t>(share));
      }
    });
  };
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    const int64_t begin = chunk * size, count = std::min(tiles, begin + size) - begin;
    parallel_ranges(ctx.threads(), size, [&](int64_t from, int64_t to) {
      for (int64_t i = from; i < to; ++i) {
        if (i >= count) {
          clear_row(v, i);
          clear_row(d, i);
          continue;
        }
        transform_patch<kPatch>(x.data<float>(), g.w, grid.inputs(begin + i), transform_input, v, i);
        transform_patch<kTile>(dy.data<float>(), g.q, grid.outputs(begin + i), transform_gradient, d, i);
      }
    });
    multiply(chunk > 0);
  }
  transform_back(ctx.threads(), w, dw.data<float>());
}

}  // namespace tailseg::winograd
