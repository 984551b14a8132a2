#include "apps/run/machine_peaks.h"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "tensor/matmul.h"
#include "tensor/parallel.h"
#include "tensor/tensor.h"

namespace tailseg {

double milliseconds_of(Context& ctx, const std::function<void()>& work) {
  using Clock = std::chrono::steady_clock;
  ctx.synchronize();
  const Clock::time_point begin = Clock::now();
  work();
  ctx.synchronize();
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

Peaks measure_peaks(Context& ctx, DType dtype) {
  // A GPU needs more of both, or the launch and the wait are what is measured: an H200 copies 128 MiB in 60
  // microseconds and multiplies matrices of 2048 in 25.
  const bool cuda = ctx.device().is_cuda();
  const int64_t elements = int64_t{1} << (cuda ? 27 : 25), side = cuda ? 8192 : 2048;
  constexpr int kTries = 5;
  double copy_ms = 1e30, product_ms = 1e30;
  {
    const Tensor from = Tensor::zeros(ctx, {elements}), to = Tensor::zeros(ctx, {elements});
    for (int i = 0; i < kTries; ++i) {
      copy_ms = std::min(copy_ms, milliseconds_of(ctx, [&] {
                           if (cuda) return to.copy_from(ctx, from);
                           parallel_ranges(ctx.threads(), elements, [&](int64_t begin, int64_t end) {
                             std::memcpy(to.data<float>() + begin, from.data<float>() + begin,
                                         static_cast<size_t>(end - begin) * sizeof(float));
                           });
                         }));
    }
  }
  const Tensor a = Tensor::full(ctx, {side, side}, 0.5, dtype), b = Tensor::full(ctx, {side, side}, 0.25, dtype);
  for (int i = 0; i < kTries; ++i) product_ms = std::min(product_ms, milliseconds_of(ctx, [&] { matmul(ctx, a, b); }));
  const double multiplied = double(side) * double(side) * double(side);
  return {2.0 * sizeof(float) * double(elements) / (copy_ms * 1e-3), 2.0 * multiplied / (product_ms * 1e-3)};
}

}  // namespace tailseg
