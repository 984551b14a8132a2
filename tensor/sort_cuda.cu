// Top-k, sort and scan on a GPU. Nothing waits for the device and every size is known beforehand, so all of it can be
// captured into a CUDA graph; the order is total (sort.h), so the result is the same in every run. Small k is selected
// (select_cuda.cu), for large k everything is sorted with CUB's radix sort, all rows at once.
#include <cub/device/device_radix_sort.cuh>
#include <cub/device/device_scan.cuh>

#include "tensor/cuda_check.h"
#include "tensor/launch.h"
#include "tensor/select_cuda.h"
#include "tensor/sort_order.h"

namespace tailseg {
namespace {

constexpr int kThreads = 1024;

// Before the big sort: row in the upper half, the falling order in the lower, so that one ascending sort does all rows.
__global__ void pack_keys(const float* keys, const int32_t* counts, uint64_t* packed, int32_t* columns, int64_t rows,
                          int64_t n) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= rows * n) return;
  const int64_t row = i / n, column = i % n;
  const uint32_t order = !counts || column < counts[row] ? ordered_bits<uint32_t>(keys[i]) : 0;
  packed[i] = static_cast<uint64_t>(row) << 32 | static_cast<uint32_t>(~order);
  columns[i] = static_cast<int32_t>(column);
}

__global__ void unpack_keys(const float* keys, const int32_t* counts, const int32_t* sorted, float* values,
                            int32_t* indices, int64_t rows, int64_t n, int64_t k) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= rows * k) return;
  const int64_t row = i / k, place = i % k;
  const bool valid = place < n && (!counts || place < counts[row]);
  const int32_t column = valid ? sorted[row * n + place] : -1;
  indices[i] = column;
  values[i] = valid ? keys[row * n + column] : -INFINITY;
}

void topk_by_sorting(Context& ctx, const Tensor& keys, const int32_t* counts, const RankedRows& out) {
  const int64_t rows = keys.size(0), n = keys.size(1), k = out.values.size(1), elements = rows * n;
  const Shape shape{elements};
  const Tensor packed = Tensor::empty(ctx, shape, DType::int64),
               packed_sorted = Tensor::empty(ctx, shape, DType::int64);
  const Tensor columns = Tensor::empty(ctx, shape, DType::int32), sorted = Tensor::empty(ctx, shape, DType::int32);
  const auto blocks = [](int64_t items) { return (items + 255) / 256; };
  const double bytes = double(elements);
  launch_kernel(ctx, "sort_pack", {16 * bytes, bytes}, blocks(elements), 256, pack_keys, keys.data<float>(), counts,
                static_cast<uint64_t*>(packed.raw()), columns.data<int32_t>(), rows, n);
  int bits = 32;
  while (bits < 64 && (rows - 1) >> (bits - 32) != 0) ++bits;
  const auto sort = [&](void* scratch, size_t& scratch_bytes) {
    TS_CUDA_CHECK(cub::DeviceRadixSort::SortPairs(
        scratch, scratch_bytes, static_cast<const uint64_t*>(packed.raw()), static_cast<uint64_t*>(packed_sorted.raw()),
        columns.data<int32_t>(), sorted.data<int32_t>(), elements, 0, bits, static_cast<cudaStream_t>(ctx.stream())));
  };
  size_t scratch_bytes = 0;
  if (elements > 0) {
    sort(nullptr, scratch_bytes);
    const Tensor scratch = Tensor::empty(ctx, {static_cast<int64_t>(scratch_bytes)}, DType::uint8);
    const KernelScope scope(ctx, "sort_radix", {24 * bytes, bytes});
    sort(scratch.raw(), scratch_bytes);
  }
  launch_kernel(ctx, "sort_unpack", {16.0 * double(rows * k), double(rows * k)}, blocks(rows * k), 256, unpack_keys,
                keys.data<float>(), counts, sorted.data<int32_t>(), out.values.data<float>(),
                out.indices.data<int32_t>(), rows, n, k);
}

// One block a row: each thread adds up its share of the row, the shares are scanned, each thread writes its own.
template <class Integer>
__global__ void __launch_bounds__(kThreads) scan_rows(const Integer* x, Integer* out, int64_t n) {
  __shared__ Integer warp_sums[kThreads / 32];
  const Integer* mine = x + blockIdx.x * n;
  Integer* to = out + blockIdx.x * (n + 1);
  const int64_t begin = n * threadIdx.x / kThreads, end = n * (threadIdx.x + 1) / kThreads;
  Integer share = 0;
  for (int64_t i = begin; i < end; ++i) share += mine[i];
  Integer sum = share;
  const int lane = threadIdx.x & 31, warp = threadIdx.x / 32;
  for (int step = 1; step < 32; step *= 2) {
    const Integer other = __shfl_up_sync(0xffffffffu, sum, step);
    if (lane >= step) sum += other;
  }
  if (lane == 31) warp_sums[warp] = sum;
  __syncthreads();
  Integer before = sum - share;
  for (int i = 0; i < warp; ++i) before += warp_sums[i];
  for (int64_t i = begin; i < end; ++i) {
    to[i] = before;
    before += mine[i];
  }
  if (threadIdx.x == kThreads - 1) to[n] = before;
}

template <class Integer>
void scan(Context& ctx, const Tensor& x, const Tensor& out) {
  const int64_t n = x.size(-1), rows = out.elements() / (n + 1);
  const Cost cost{double(x.bytes() + out.bytes()), double(x.elements())};
  if (rows > 1 || n < 16384) {
    launch_kernel(ctx, "exclusive_scan", cost, rows, kThreads, scan_rows<Integer>, x.data<Integer>(),
                  out.data<Integer>(), n);
    return;
  }
  const auto run = [&](void* scratch, size_t& scratch_bytes) {  // inclusive, one place further: the total comes last
    TS_CUDA_CHECK(cub::DeviceScan::InclusiveSum(scratch, scratch_bytes, x.data<Integer>(), out.data<Integer>() + 1, n,
                                                static_cast<cudaStream_t>(ctx.stream())));
  };
  size_t scratch_bytes = 0;
  run(nullptr, scratch_bytes);
  const Tensor scratch = Tensor::empty(ctx, {static_cast<int64_t>(scratch_bytes)}, DType::uint8);
  const KernelScope scope(ctx, "exclusive_scan", cost);
  out.reshape({n + 1}).slice(0, 1).zero(ctx);
  run(scratch.raw(), scratch_bytes);
}

}  // namespace

void topk_cuda(Context& ctx, const Tensor& keys, const Tensor* counts, const RankedRows& out) {
  const int32_t* valid = counts ? counts->data<int32_t>() : nullptr;
  if (out.values.size(1) <= kMostSelected)
    topk_by_selection(ctx, keys, valid, out);
  else
    topk_by_sorting(ctx, keys, valid, out);
}

void exclusive_scan_cuda(Context& ctx, const Tensor& x, const Tensor& out) {
  if (x.dtype() == DType::int32)
    scan<int32_t>(ctx, x, out);
  else
    scan<int64_t>(ctx, x, out);
}

}  // namespace tailseg
