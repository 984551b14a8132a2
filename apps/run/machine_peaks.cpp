#include "apps/run/machine_peaks.h"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "tensor/elementwise.h"
#include "tensor/matmul.h"
#include "tensor/parallel.h"
#include "tensor/philox.h"
#include "tensor/tensor.h"

namespace tailseg {
namespace {

// Bits that change cost a GPU power, and power is clock: of zeros an H200 multiplies an eighth more a second.
Tensor random_matrix(Context& ctx, int64_t side) {
  std::vector<float> values(static_cast<size_t>(side * side));
  const RandomKey key{1, random_purpose("machine peaks")};
  parallel_ranges(ctx.threads(), side, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin * side; i < end * side; ++i) {
      values[static_cast<size_t>(i)] = random_uniform(key, 0, static_cast<uint32_t>(i)) - 0.5f;
    }
  });
  return Tensor::from(ctx, {side, side}, values);
}

}  // namespace

double milliseconds_of(Context& ctx, const std::function<void()>& work) {
  using Clock = std::chrono::steady_clock;
  ctx.synchronize();
  const Clock::time_point begin = Clock::now();
  work();
  ctx.synchronize();
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

Peaks measure_peaks(Context& ctx, DType dtype) {
  // A GPU needs more of both, or the launch and the wait are what is measured: an H200 copies 512 MiB in a quarter of a
  // millisecond and multiplies matrices of 2048 in 25 microseconds.
  const bool cuda = ctx.device().is_cuda();
  const int64_t elements = int64_t{1} << (cuda ? 27 : 25), side = cuda ? 8192 : 2048;
  const int copies = cuda ? 10 : 1;
  constexpr int kTries = 5;
  double copy_ms = 1e30, product_ms = 1e30;
  {
    const Tensor from = Tensor::zeros(ctx, {elements}), to = Tensor::zeros(ctx, {elements});
    for (int i = 0; i < kTries; ++i) {
      copy_ms = std::min(copy_ms, milliseconds_of(ctx, [&] {
                           for (int j = 0; cuda && j < copies; ++j) to.copy_from(ctx, from);
                           if (cuda) return;
                           parallel_ranges(ctx.threads(), elements, [&](int64_t begin, int64_t end) {
                             std::memcpy(to.data<float>() + begin, from.data<float>() + begin,
                                         static_cast<size_t>(end - begin) * sizeof(float));
                           });
                         }));
    }
  }
  const Tensor a = cast(ctx, random_matrix(ctx, side), dtype);
  for (int i = 0; i < kTries; ++i) product_ms = std::min(product_ms, milliseconds_of(ctx, [&] { matmul(ctx, a, a); }));
  const double multiplied = double(side) * double(side) * double(side);
  return {2.0 * sizeof(float) * copies * double(elements) / (copy_ms * 1e-3), 2.0 * multiplied / (product_ms * 1e-3)};
}

}  // namespace tailseg
