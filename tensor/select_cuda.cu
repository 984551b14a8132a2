// Top-k with k <= kMostSelected by radix selection: one block finds, 11 bits at a time, the k-th largest of its keys,
// gathers those not below it and sorts them in shared memory. Long rows are cut into chunks whose winners meet in a
// second round, unsorted. No key equals another (the column is part of it), so the result does not depend on who came
// first.
#include <cmath>

#include "tensor/launch.h"
#include "tensor/select_cuda.h"
#include "tensor/sort_order.h"

namespace tailseg {
namespace {

constexpr int kThreads = 1024;
constexpr int kBins = 2048;  // two for each thread

struct SelectRow {
  const float* keys;          // [rows, columns]
  const int32_t* counts;      // [rows]: columns that have a key, or null
  const int32_t* candidates;  // [rows, n] second round: columns, -1 for none; null: all columns, n of them
  float* values;              // [rows, k], sorted, with their columns; null in a round that another follows
  int32_t* indices;           // [rows, chunks, k], -1 for none
  int64_t columns, n, k, chunk, chunks;
};

// Keys of one chunk with their column: larger is earlier, no two are equal, 0 is none.
struct ChunkKeys {
  const float* row;
  const int32_t* candidates;
  int64_t first, size;  // keys to look at

  __device__ uint64_t operator[](int64_t i) const {
    const int32_t column = candidates ? candidates[first + i] : static_cast<int32_t>(first + i);
    if (column < 0) return 0;
    return static_cast<uint64_t>(ordered_bits<uint32_t>(row[column])) << 32 |
           static_cast<uint32_t>(~static_cast<uint32_t>(column));
  }
  __device__ static int32_t column_of(uint64_t key) { return static_cast<int32_t>(~static_cast<uint32_t>(key)); }
};

// Counts into a bin. Scores often agree in their upper bits: the lanes that agree with the first of them count at once.
__device__ void count_digit(int* bins, int digit, bool wanted) {
  const unsigned mask = __ballot_sync(0xffffffffu, wanted);
  if (mask == 0) return;
  const int first = math::lowest_bit(mask);
  const int leader = __shfl_sync(0xffffffffu, digit, first);
  const unsigned alike = __ballot_sync(0xffffffffu, wanted && digit == leader);
  if (!wanted) return;
  if (digit != leader)
    atomicAdd(&bins[digit], 1);
  else if ((threadIdx.x & 31) == static_cast<unsigned>(first))
    atomicAdd(&bins[digit], __popc(alike));
}

struct Found {
  int digit;  // the bin in which the wanted rank lies
  int above;  // keys in larger bins
  int count;  // keys in this bin
  int total;
};

// Which bin holds the `rank`-th largest key (from 1)? Ranks beyond the total are cut to it. Each thread owns two bins,
// from the largest down; their sums are scanned across the block.
__device__ Found find_bin(const int* bins, int rank, int* warp_sums, Found* found) {
  const int lane = threadIdx.x & 31, warp = threadIdx.x / 32;
  const int high = kBins - 1 - 2 * static_cast<int>(threadIdx.x);
  const int mine = bins[high] + bins[high - 1];
  int sum = mine;
  for (int step = 1; step < 32; step *= 2) {
    const int other = __shfl_up_sync(0xffffffffu, sum, step);
    if (lane >= step) sum += other;
  }
  if (lane == 31) warp_sums[warp] = sum;
  if (threadIdx.x == 0) *found = {0, 0, 0, 0};
  __syncthreads();
  int before = 0, total = 0;
  for (int i = 0; i < kThreads / 32; ++i) {
    if (i < warp) before += warp_sums[i];
    total += warp_sums[i];
  }
  const int above = before + sum - mine;
  rank = rank < total ? rank : total;
  if (above < rank && rank <= above + mine) {
    const bool in_high = rank <= above + bins[high];
    *found = {in_high ? high : high - 1, in_high ? above : above + bins[high], in_high ? bins[high] : bins[high - 1],
              total};
  }
  __syncthreads();
  return *found;
}

// The smallest of the `wanted` largest keys, or a prefix of it that no other key shares. `wanted` is cut to the number
// of keys.
__device__ uint64_t select_threshold(const ChunkKeys& keys, int& wanted, int* bins, int* warp_sums, Found* found) {
  constexpr int kShift[] = {53, 42, 32, 21, 10, 0}, kWidth[] = {11, 11, 10, 11, 11, 10};
  uint64_t prefix = 0, mask = 0;
  int rank = wanted;
  for (int pass = 0; pass < 6; ++pass) {
    const int shift = kShift[pass];
    const uint64_t digits = (uint64_t{1} << kWidth[pass]) - 1;
    for (int i = threadIdx.x; i < kBins; i += kThreads) bins[i] = 0;
    __syncthreads();
    for (int64_t base = 0; base < keys.size; base += kThreads) {  // every lane takes part in every vote
      const int64_t i = base + threadIdx.x;
      const uint64_t key = i < keys.size ? keys[i] : 0;
      count_digit(bins, static_cast<int>(key >> shift & digits), key != 0 && (key & mask) == prefix);
    }
    __syncthreads();
    const Found bin = find_bin(bins, rank, warp_sums, found);
    if (pass == 0) rank = wanted = min(wanted, bin.total);
    if (wanted == 0) return ~uint64_t{0};
    rank -= bin.above;
    prefix |= static_cast<uint64_t>(bin.digit) << shift;
    mask |= digits << shift;
    if (bin.count == rank) break;
  }
  return prefix;
}

// Largest first. `size` is a power of two. A thread takes pairs: i with a zero where `step` has its bit, and i + step.
__device__ void bitonic_sort(uint64_t* keys, int size) {
  for (int run = 2; run <= size; run *= 2) {
    for (int step = run / 2; step > 0; step /= 2) {
      __syncthreads();
      for (int pair = threadIdx.x; pair < size / 2; pair += kThreads) {
        const int i = 2 * pair - (pair & (step - 1)), partner = i + step;
        const bool falling = (i & run) == 0;
        const uint64_t a = keys[i], b = keys[partner];
        if (falling ? a < b : a > b) {
          keys[i] = b;
          keys[partner] = a;
        }
      }
    }
  }
  __syncthreads();
}

__global__ void __launch_bounds__(kThreads) select_rows(const SelectRow a) {
  __shared__ int bins[kBins];
  __shared__ int warp_sums[kThreads / 32];
  __shared__ Found found;
  __shared__ int gathered;
  __shared__ uint64_t best[kMostSelected];
  const int64_t row = blockIdx.x / a.chunks, first = blockIdx.x % a.chunks * a.chunk;
  int64_t count = a.counts ? min(max(static_cast<int64_t>(a.counts[row]), int64_t{0}), a.n) : a.n;
  count = max(min(count - first, a.chunk), int64_t{0});
  const ChunkKeys keys{a.keys + row * a.columns, a.candidates ? a.candidates + row * a.n : nullptr, first, count};

  int wanted = static_cast<int>(a.k);
  const uint64_t threshold = select_threshold(keys, wanted, bins, warp_sums, &found);
  if (threadIdx.x == 0) gathered = 0;
  __syncthreads();
  int32_t* const indices = a.indices + static_cast<int64_t>(blockIdx.x) * a.k;
  for (int64_t i = threadIdx.x; i < count && wanted > 0; i += kThreads) {
    const uint64_t key = keys[i];
    if (key == 0 || key < threshold) continue;
    const int place = atomicAdd(&gathered, 1);  // in any order: sorted next, or in the second round
    if (a.values)
      best[place] = key;
    else
      indices[place] = ChunkKeys::column_of(key);
  }
  for (int64_t i = wanted + static_cast<int>(threadIdx.x); i < a.k; i += kThreads) {
    indices[i] = -1;
    if (a.values) a.values[blockIdx.x * a.k + i] = -INFINITY;
  }
  if (!a.values) return;

  __syncthreads();
  int size = 2;
  while (size < wanted) size *= 2;
  for (int i = wanted + static_cast<int>(threadIdx.x); i < size; i += kThreads) best[i] = 0;
  bitonic_sort(best, size);
  for (int i = static_cast<int>(threadIdx.x); i < wanted; i += kThreads) {
    const int32_t column = ChunkKeys::column_of(best[i]);
    a.values[blockIdx.x * a.k + i] = keys.row[column];
    indices[i] = column;
  }
}

void select(Context& ctx, int64_t rows, const SelectRow& a) {
  const double keys = double(rows) * double(a.n), found = double(rows * a.chunks * a.k);
  launch_kernel(ctx, "topk_select", {(a.candidates ? 8 : 4) * keys + (a.values ? 8 : 4) * found, keys}, rows * a.chunks,
                kThreads, select_rows, a);
}

// A block's time grows with its keys, so the two rounds are shortest when both see sqrt(n k) keys. The second round
// itself, its launch and its sort, is worth about as much as looking at kSecondRound keys.
constexpr int64_t kSecondRound = 16384;

int64_t chunk_of(int64_t n, int64_t k) {
  const auto best = static_cast<int64_t>(std::sqrt(static_cast<double>(n) * static_cast<double>(k)));
  const int64_t chunk = (best / kThreads + 1) * kThreads;
  return 2 * chunk + kSecondRound < n ? chunk : n;
}

}  // namespace

void topk_by_selection(Context& ctx, const Tensor& keys, const int32_t* counts, const RankedRows& out) {
  const int64_t rows = keys.size(0), n = keys.size(1), k = out.values.size(1), chunk = chunk_of(n, k);
  SelectRow last{
      keys.data<float>(), counts, nullptr, out.values.data<float>(), out.indices.data<int32_t>(), n, n, k, n, 1};
  if (chunk == n) return select(ctx, rows, last);
  SelectRow first = last;
  first.chunk = chunk;
  first.chunks = (n + chunk - 1) / chunk;
  const Tensor candidates = Tensor::empty(ctx, {rows, first.chunks * k}, DType::int32);
  first.values = nullptr;
  first.indices = candidates.data<int32_t>();
  select(ctx, rows, first);
  last.counts = nullptr;
  last.candidates = first.indices;
  last.n = last.chunk = first.chunks * k;
  select(ctx, rows, last);
}

}  // namespace tailseg
