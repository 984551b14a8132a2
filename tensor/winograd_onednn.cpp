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

// One direction's layer, as a forward pass: g's own, or that of the data's gradient.
struct Layer {
  int64_t n, h, w, c, k, p, q, padding;
  Grid grid() const { return {n, h, w, p, q, padding}; }
};

Layer forward_layer(const ConvSizes& g) { return {g.n, g.h, g.w, g.c, g.k, g.p, g.q, g.padding}; }
Layer backward_layer(const ConvSizes& g) { return {g.n, g.p, g.q, g.k, g.c, g.h, g.w, kTaps - 1 - g.padding}; }

struct Output {
  const float* bias;
  const float* residual;
  bool relu;
  float* y;
};

// Rows become columns, in registers.
inline void transpose(Lanes (&x)[kLanes]) {
  typedef int Index __attribute__((vector_size(64)));
  const Index lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
#pragma GCC unroll 4
  for (int step = 1; step < kLanes; step *= 2) {
    // In each pair of rows that differ in this bit, swap the blocks off the diagonal.
    const Index high = (lane & step) != 0;
    const Index low_mask = (~high & lane) | (high & (lane - step + int(kLanes)));
    const Index high_mask = (~high & (lane + step)) | (high & (lane + int(kLanes)));
#pragma GCC unroll 16
    for (int row = 0; row < kLanes; ++row) {
      if (row & step) continue;
      const Lanes low = x[row], other = x[row + step];
      x[row] = __builtin_shuffle(low, other, low_mask);
      x[row + step] = __builtin_shuffle(low, other, high_mask);
    }
  }
}

// w [k, 3, 3, c] -> [3, 3, c, k].
void transpose_filters(int threads, const float* w, int64_t k, int64_t c, float* out) {
  parallel_ranges(threads, k / kLanes, [=](int64_t begin, int64_t end) {
    for (int64_t k0 = begin * kLanes; k0 < end * kLanes; k0 += kLanes) {
      for (int64_t tap = 0; tap < kTaps * kTaps; ++tap) {
        for (int64_t c0 = 0; c0 < c; c0 += kLanes) {
          Lanes block[kLanes];
          for (int64_t i = 0; i < kLanes; ++i) block[i] = load(w + ((k0 + i) * kTaps * kTaps + tap) * c + c0);
          transpose(block);
          for (int64_t i = 0; i < kLanes; ++i) store(out + (tap * c + c0 + i) * k + k0, block[i]);
        }
      }
    }
  });
}

// taps[r, s] of 16 columns from `data + r * row_step + s * column_step`, transformed, into U.
void transform_filters(int threads, const float* taps, int64_t row_step, int64_t column_step, int64_t line_step,
                       const Matrices& u) {
  parallel_ranges(threads, u.rows, [&, taps](int64_t begin, int64_t end) {
    for (int64_t line = begin; line < end; ++line) {
      float* first = u.at(0, line);
      for (int64_t column = 0; column < u.columns; column += kLanes) {
        Lanes in[kTaps][kTaps], out[kPatch][kPatch];
        for (int r = 0; r < kTaps; ++r) {
          for (int s = 0; s < kTaps; ++s) {
            in[r][s] = load(taps + line * line_step + r * row_step + s * column_step + column);
          }
        }
        transform_both<kTaps, kPatch>(in, out, transform_taps);
#pragma GCC unroll 36
        for (int e = 0; e < kProducts; ++e) store(first + e * u.stride() + column, out[e / kPatch][e % kPatch]);
      }
    }
  });
}

// One tile's products back to its outputs, with the epilogue; what lies outside the images is dropped.
void transform_back(int64_t width, const Pixels<kTile>& pixels, const Matrices& m, int64_t row, const Output& out) {
  const float* first = m.at(0, row);
  for (int64_t k = 0; k < m.columns; k += kLanes) {
    Lanes products[kPatch][kPatch], outputs[kTile][kTile];
#pragma GCC unroll 36
    for (int e = 0; e < kProducts; ++e) products[e / kPatch][e % kPatch] = load(first + e * m.stride() + k);
    transform_both<kPatch, kTile>(products, outputs, transform_output);
    const Lanes bias = out.bias ? load(out.bias + k) : Lanes{};
    const auto write = [&](int64_t pixel, const Lanes& sum) {
      Lanes value = sum + bias;
      if (out.residual) value += load(out.residual + pixel * m.columns + k);
      if (out.relu) value = value < 0.0f ? Lanes{} : value;
      store(out.y + pixel * m.columns + k, value);
    };
    for (int i = 0; i < kTile; ++i) {
      for (int j = 0; j < kTile; ++j) {
        const int64_t pixel = pixels.whole ? pixels.at[0][0] + i * width + j : pixels.at[i][j];
        if (pixel >= 0) write(pixel, outputs[i][j]);
      }
    }
  }
}

// M[e] = V[e] U[e] for `batch` of the 36 products.
Plan plan_products(const dnnl::engine& engine, int64_t batch, int64_t tiles, int64_t c, int64_t k) {
  const std::string shapes = text("Winograd products: ", batch, " of ", tiles, " x ", c, " times ", c, " x ", k);
  return onednn::checked(shapes, [&] {
    const auto describe = [&](int64_t rows, int64_t columns) {
      return memory::desc({batch, rows, columns}, memory::data_type::f32,
                          memory::dims{Matrices::stride(rows, columns), columns, 1});
    };
    const memory::desc v = describe(tiles, c), u = describe(c, k), m = describe(tiles, k);
    const onednn::ThreadScope one(1);  // every thread runs its own products
    const dnnl::matmul::primitive_desc primitive(dnnl::matmul::desc(v, u, m), onednn::make_attributes(false, false),
                                                 engine);
    Plan plan;
    plan.shapes = shapes;
    plan.primitive = dnnl::matmul(primitive);
    plan.operands = {onednn::make_operand(engine, DNNL_ARG_SRC, v, v, false),
                     onednn::make_operand(engine, DNNL_ARG_WEIGHTS, u, u, false),
                     onednn::make_operand(engine, DNNL_ARG_DST, m, m, true)};
    plan.scratchpad = primitive.scratchpad_desc();
    return plan;
  });
}

void run(Context& ctx, Plans& plans, const Layer& layer, const float* x, const Matrices& u, const Output& out) {
  const Grid grid = layer.grid();
  const int64_t tiles = grid.tiles(), threads = ctx.threads();
  // Enough rows for the product to run at full speed, few enough for the caches. A layer with fewer is one chunk whose
  // steps are spread over the threads; otherwise every thread takes whole chunks.
  const int64_t rows = layer.c < 128 ? 128 : 64;
  const bool one_chunk = tiles <= rows * threads;
  const int64_t chunks = one_chunk ? 1 : threads * ((tiles + rows * threads - 1) / (rows * threads));
  const int64_t size = (tiles + chunks - 1) / chunks;
  const int64_t workers = one_chunk ? 1 : threads;
  const int64_t shares = one_chunk ? product_shares(ctx.threads()) : 1;
  const int64_t batch = kProducts / shares;

  const Plan& plan = plans.find({5, batch, size, layer.c, layer.k}, [&](const dnnl::engine& engine) {
    return plan_products(engine, batch, size, layer.c, layer.k);
  });
  const size_t v_bytes = Matrices::bytes(size, layer.c), m_bytes = Matrices::bytes(size, layer.k);
  const size_t scratch_bytes = plan.scratchpad.get_size();
  Scratch::Frame frame(plans.scratch());
  char* v_memory = static_cast<char*>(frame.take(static_cast<size_t>(workers) * v_bytes));
  char* m_memory = static_cast<char*>(frame.take(static_cast<size_t>(workers) * m_bytes));
  char* scratch = static_cast<char*>(frame.take(static_cast<size_t>(workers * shares) * scratch_bytes));
  const auto part = [](char* memory, size_t bytes, int64_t i) { return memory + bytes * static_cast<size_t>(i); };

  const auto run_chunk = [&](int64_t chunk, int64_t worker) {
    const int64_t begin = chunk * size, count = std::min(tiles, begin + size) - begin;
    const Matrices v{reinterpret_cast<float*>(part(v_memory, v_bytes, worker)), size, layer.c};
    const Matrices m{reinterpret_cast<float*>(part(m_memory, m_bytes, worker)), size, layer.k};
    parallel_ranges(ctx.threads(), count, [&](int64_t from, int64_t to) {
      for (int64_t i = from; i < to; ++i) {
        transform_patch<kPatch>(x, layer.w, grid.inputs(begin + i), transform_input, v, i);
      }
    });
    parallel_ranges(ctx.threads(), shares, [&](int64_t from, int64_t to) {
      for (int64_t share = from; share < to; ++share) {
        const int64_t e = share * batch;
        plans.execute(plan, {v.at(e, 0), u.at(e, 0), m.at(e, 0)},
                      part(scratch, scratch_bytes, worker * shares + share));
      }
    });
    parallel_ranges(ctx.threads(), count, [&](int64_t from, int64_t to) {
      for (int64_t i = from; i < to; ++i) transform_back(layer.q, grid.outputs(begin + i), m, i, out);
    });
  };
  if (one_chunk) return run_chunk(0, 0);
  parallel_ranges(ctx.threads(), workers, [&](int64_t from, int64_t to) {
    for (int64_t worker = from; worker < to; ++worker) {
      for (int64_t chunk = chunks * worker / workers; chunk < chunks * (worker + 1) / workers; ++chunk) {
        run_chunk(chunk, worker);
      }
    }
  });
}

const float* optional(const Tensor* tensor) { return tensor ? tensor->data<float>() : nullptr; }

Cost cost_of(const Layer& layer, bool residual) {
  const double outputs = double(layer.n * layer.p * layer.q * layer.k);
  const double values = double(layer.n * layer.h * layer.w * layer.c) + outputs * (residual ? 2 : 1) +
                        double(kTaps * kTaps * layer.c * layer.k);
  const double tiles = double(layer.grid().tiles());
  return {4 * values, 2.0 * kProducts * tiles * double(layer.c) * double(layer.k)};
}

}  // namespace

// Both sides in products for each pair of channels: 9 for an output pixel against 36 for a tile, and a fixed part for
// the transformed filters, which are four times the filters in bytes and do not fit the last cache when large.
// Measured, direct / Winograd, Zen 5, one thread, forward, data, filters (time with all conversions):
//   256 channels  4x4: 0.64 0.47 1.27   8x8: 1.04 1.17 2.00   16x16: 2.43 2.67 2.66   128x128: 2.7 2.8 3.6
//   512 channels  8x8: 0.64 0.63 0.88   12x12: 0.91 1.26 1.07   16x16: 1.28 1.71 1.51
//   64 channels   4x4: 0.68 0.38 0.71   8x8: 0.92 0.81 1.18   16x16: 1.63 1.61 1.79
//   32 channels at 32x32: 1.63 1.83 1.70;   16 channels: 0.97 0.92 0.84
bool pays(const ConvSizes& g, Direction direction, int64_t speed) {
  const bool serves = g.r == kTaps && g.s == kTaps && g.stride == 1 && g.dilation == 1 && g.groups == 1 &&
                      g.padding < kTaps && g.c % kLanes == 0 && g.k % kLanes == 0;
  if (!serves || g.c * g.k < 1024) return false;
  const bool large = Matrices::bytes(g.c, g.k) > (size_t{16} << 20);
  const int64_t fixed = large ? 900 : direction == Direction::backward_filter ? 100 : 450;
  const Layer layer = direction == Direction::backward_data ? backward_layer(g) : forward_layer(g);
  const int64_t tiles = layer.grid().tiles();
  return kTaps * kTaps * g.n * g.p * g.q > speed * (kProducts * tiles + fixed);
}

void forward(Context& ctx, Plans& plans, const ConvSizes& g, const Tensor& x, const Tensor& w,
             const ConvEpilogue& epilogue, const Tensor& y) {
  const Layer layer = forward_layer(g);
  KernelScope scope(ctx, "conv_forward_winograd", cost_of(layer, epilogue.residual));
  const onednn::ThreadScope one(1);
  Scratch::Frame frame(plans.scratch());
  const Matrices u{frame.floats(Matrices::bytes(g.c, g.k)), g.c, g.k};
  {
    Scratch::Frame inner(plans.scratch());
    float* turned = inner.floats(w.bytes());
    transpose_filters(ctx.threads(), w.data<float>(), g.k, g.c, turned);
    transform_filters(ctx.threads(), turned, kTaps * g.c * g.k, g.c * g.k, g.k, u);
  }
  run(ctx, plans, layer, x.data<float>(), u,
      {optional(epilogue.bias), optional(epilogue.residual), epilogue.relu, y.data<float>()});
}

void backward_data(Context& ctx, Plans& plans, const ConvSizes& g, const Tensor& dy, const Tensor& w,
                   const ConvEpilogue& epilogue, const Tensor& dx) {
  const Layer layer = backward_layer(g);
  KernelScope scope(ctx, "conv_backward_data_winograd", cost_of(layer, false));
  const onednn::ThreadScope one(1);
  Scratch::Frame frame(plans.scratch());
  const Matrices u{frame.floats(Matrices::bytes(g.k, g.c)), g.k, g.c};
  // From the last tap backwards: the correlation's window is turned by half a turn.
  transform_filters(ctx.threads(), w.data<float>() + (kTaps * kTaps - 1) * g.c, -kTaps * g.c, -g.c, kTaps * kTaps * g.c,
                    u);
  run(ctx, plans, layer, dy.data<float>(), u, {optional(epilogue.bias), nullptr, epilogue.relu, dx.data<float>()});
}

}  // namespace tailseg::winograd
