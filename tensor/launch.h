// The launcher: runs a kernel body over items on whatever device the context has. It alone owns the grid, the bounds
// guard, the stream, the launch check, the profiler's row and the split over CPU threads. Included by .cu files only:
// nvcc compiles them with both executors, the C++ compiler with the CPU's.
//
// A body is a named struct, never a lambda:
//
//   // One item = one row; lanes walk the columns (contiguous).
//   template <class Scalar>
//   struct RowSum {
//     static constexpr const char* name = "row_sum";
//     static constexpr Lanes lanes = Lanes::warp;
//     const Scalar* x;  // [rows, n]
//     Scalar* sums;     // [rows]
//     int64_t n;
//     template <class Group>
//     TS_HD void operator()(Group group, int64_t row) const;
//     Cost cost(int64_t rows) const;
//   };
//
//   for_each_item(ctx, rows, RowSum<float>{x, sums, n});
#pragma once

#include <algorithm>
#include <type_traits>

#include "tensor/body.h"
#include "tensor/capture.h"
#include "tensor/context.h"
#include "tensor/parallel.h"
#include "tensor/profiler.h"

namespace tailseg {

// A range is split over threads only when a thread's share outweighs waking it: about 20 microseconds of work at the
// rates of one core (10 GB/s, 4 G operations/s outside the libraries).
inline int threads_for(const Context& ctx, const Cost& cost) {
  const double seconds = std::max(cost.bytes / 10e9, cost.operations / 4e9);
  return static_cast<int>(std::clamp(seconds / 20e-6, 1.0, static_cast<double>(ctx.threads())));
}

template <class Body>
void for_each_item_on_cpu(Context& ctx, int64_t items, const Body& body) {
  parallel_ranges(threads_for(ctx, body.cost(items)), items, [&body](int64_t begin, int64_t end) {
    const Body mine = body;  // a local copy: the compiler knows that nobody else changes its fields
    for (int64_t item = begin; item < end; ++item) mine(Solo{}, item);
  });
}

template <class Body>
void run_captured_body(Context& ctx, const void* captured, int64_t items) {
  const Body& body = *static_cast<const Body*>(captured);
  KernelScope scope(ctx, Body::name, body.cost(items));
  for_each_item_on_cpu(ctx, items, body);
}

#if defined(__CUDACC__)

void check_launch(const char* kernel, void* stream);  // throws when the launch failed; synchronises when asked to

template <class Body>
__global__ void run_threads(const Body body, int64_t items) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t item = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; item < items; item += stride) {
    body(Solo{}, item);
  }
}

template <class Body>
__global__ void run_warps(const Body body, int64_t items) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * (blockDim.x / 32);
  for (int64_t item = static_cast<int64_t>(blockIdx.x) * (blockDim.x / 32) + threadIdx.x / 32; item < items;
       item += stride) {
    body(Warp{}, item);
  }
}

template <class Body>
__global__ void run_blocks(const Body body, int64_t items) {
  for (int64_t item = blockIdx.x; item < items; item += gridDim.x) {
    body(Block{}, item);
    __syncthreads();  // scratch of this item is free before the next begins
  }
}

template <class Body>
void for_each_item_on_cuda(Context& ctx, int64_t items, const Body& body) {
  constexpr int kThreads = 256;
  constexpr int64_t kMaxBlocks = 1 << 20;  // the kernels loop, so a larger grid gains nothing
  auto stream = static_cast<cudaStream_t>(ctx.stream());
  if constexpr (Body::lanes == Lanes::one) {
    run_threads<<<static_cast<unsigned>(std::min((items + kThreads - 1) / kThreads, kMaxBlocks)), kThreads, 0,
                  stream>>>(body, items);
  } else if constexpr (Body::lanes == Lanes::warp) {
    constexpr int kWarps = kThreads / 32;
    run_warps<<<static_cast<unsigned>(std::min((items + kWarps - 1) / kWarps, kMaxBlocks)), kThreads, 0, stream>>>(
        body, items);
  } else {
    run_blocks<<<static_cast<unsigned>(std::min(items, kMaxBlocks)), kThreads, 0, stream>>>(body, items);
  }
  check_launch(Body::name, ctx.stream());
}

// For the few kernels that are no bodies (sort_cuda.cu): a plain __global__ function on `blocks` blocks.
template <class... Parameters, class... Arguments>
void launch_kernel(Context& ctx, const char* name, Cost cost, int64_t blocks, int threads,
                   void (*kernel)(Parameters...), const Arguments&... arguments) {
  if (blocks <= 0) return;
  KernelScope scope(ctx, name, cost);
  kernel<<<static_cast<unsigned>(blocks), static_cast<unsigned>(threads), 0, static_cast<cudaStream_t>(ctx.stream())>>>(
      arguments...);
  check_launch(name, ctx.stream());
}

#endif

// Runs body(group, item) for every item in [0, items). Zero items is a legal no-op.
template <class Body>
void for_each_item(Context& ctx, int64_t items, const Body& body) {
  static_assert(std::is_trivially_copyable_v<Body>, "a body is copied to the device: plain pointers and numbers only");
  if (items <= 0) return;
#if defined(__CUDACC__)
  if constexpr (!is_host_only<Body>) {
    if (ctx.device().is_cuda()) {
      KernelScope scope(ctx, Body::name, body.cost(items));
      return for_each_item_on_cuda(ctx, items, body);
    }
  }
#endif
  if (Capture* capture = ctx.capture()) return capture->add_body(run_captured_body<Body>, &body, sizeof(body), items);
  KernelScope scope(ctx, Body::name, body.cost(items));
  for_each_item_on_cpu(ctx, items, body);
}

}  // namespace tailseg
