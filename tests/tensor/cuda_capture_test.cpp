// What runs inside a training step can be captured into a CUDA graph and replayed: no op of tensor/ waits for the
// device or asks the system for memory once it is warm. Needs a card.
#ifdef TAILSEG_CUDA
#include <cuda_runtime_api.h>

#include <catch2/catch.hpp>
#include <functional>

#include "tensor/conv.h"
#include "tensor/cuda_check.h"
#include "tensor/device_calls.h"
#include "tensor/elementwise.h"
#include "tensor/matmul.h"
#include "tensor/sort.h"
#include "tests/devices.h"

using namespace tailseg;

namespace {

// Runs f once to warm caches and plans, captures a second run, replays it after the inputs were changed by `change`,
// and compares with a plain run on the changed inputs.
void check_capture(Context& ctx, const std::function<Tensor()>& f, const std::function<void()>& change) {
  auto stream = static_cast<cudaStream_t>(ctx.stream());
  (void)f();
  (void)f();
  ctx.synchronize();
  const int64_t waits = device_calls::waits(), system = ctx.allocator()->figures().system_allocations;
  TS_CUDA_CHECK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
  const Tensor captured = f();
  cudaGraph_t graph = nullptr;
  TS_CUDA_CHECK(cudaStreamEndCapture(stream, &graph));
  CHECK(device_calls::waits() == waits);
  CHECK(ctx.allocator()->figures().system_allocations == system);
  cudaGraphExec_t ready = nullptr;
  TS_CUDA_CHECK(cudaGraphInstantiate(&ready, graph, 0));
  change();
  TS_CUDA_CHECK(cudaGraphLaunch(ready, stream));
  const Tensor expected = f();
  CHECK(cast(ctx, captured, DType::float32).to_vector<float>(ctx) ==
        cast(ctx, expected, DType::float32).to_vector<float>(ctx));
  TS_CUDA_CHECK(cudaGraphExecDestroy(ready));
  TS_CUDA_CHECK(cudaGraphDestroy(graph));
}

std::vector<float> ramp(int64_t n, int64_t prime) {
  std::vector<float> out;
  for (int64_t i = 0; i < n; ++i)
    out.push_back(static_cast<float>(i * 7919 % prime) / static_cast<float>(prime) - 0.5f);
  return out;
}

}  // namespace

TEST_CASE("matrix product, convolution, top-k, sort and fill replay from a CUDA graph") {
  Context* gpu = cuda_or_skip("capture");
  if (!gpu) return;
  Context& ctx = *gpu;
  const Tensor x = Tensor::from(ctx, {64, 128}, ramp(64 * 128, 8191)),
               w = Tensor::from(ctx, {128, 32}, ramp(4096, 4093));
  const Tensor other = Tensor::from(ctx, {64, 128}, ramp(64 * 128, 7001));
  const auto change = [&] { x.copy_from(ctx, other); };
  check_capture(
      ctx, [&] { return matmul(ctx, x, w); }, change);
  const Tensor filters = w.reshape({32, 1, 1, 128});
  check_capture(
      ctx,
      [&] {
        return conv2d(ctx, x.reshape({1, 8, 8, 128}), filters, {});
      },
      change);
  check_capture(
      ctx, [&] { return topk(ctx, x, 20).values; }, change);
  const Tensor row = x.reshape({1, 8192});
  check_capture(
      ctx, [&] { return topk(ctx, row, 6000).values; }, change);
  check_capture(
      ctx,
      [&] {
        const Tensor filled = Tensor::full(ctx, {64, 128}, 0.25);
        add_in_place(ctx, filled, x);
        return filled;
      },
      change);
}
#else
#include <catch2/catch.hpp>

#include "tensor/context.h"

TEST_CASE("a build without CUDA says so") { REQUIRE_FALSE(tailseg::cuda_is_built()); }
#endif
