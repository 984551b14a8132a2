// The one new word of this house: a group.
//
// A kernel body is written once and run by a group of lanes. On a GPU the lanes are the threads of a warp or a block,
// on the CPU the group has one lane, in tests the lanes are operating-system threads (tests/crew.h). Here is the sum
// of one row, three times:
//
//   a plain loop            float total = 0;
//                           for (int64_t i = 0; i < n; ++i) total += row[i];
//
//   raw CUDA, one warp      float total = 0;
//                           for (int i = threadIdx.x % 32; i < n; i += 32) total += row[i];
//                           for (int step = 16; step > 0; step /= 2) total += __shfl_xor_sync(~0u, total, step);
//
//   a body                  float total = 0;
//                           for (int64_t i = group.rank(); i < n; i += group.size()) total += row[i];
//                           total = group.sum(total);
//
// With a group of one, rank() is 0, size() is the constant 1 and sum(x) is x: the third is the first, and the compiler
// sees it. The vocabulary is closed:
//
//   rank(), size()         which lane am I, how many are we
//   sync()                 every lane's earlier writes to memory are seen by every lane afterwards
//   sum(x), max(x)         the same result on every lane, in a fixed order; max passes over NaN
//   argmax(x, i)           the largest x with its i; of equals the smallest i; any number is larger than NaN
//   broadcast(x, lane)     lane's x on every lane
//
// Every lane must reach every sync and every reduction. Lanes walk a contiguous axis. Nothing may depend on size()
// being large, nor on its being 1. Scratch is global memory that the op allocates, one part for each item.
#pragma once

#include <cstdint>

#include "tensor/math.h"

namespace tailseg {

template <class T>
struct ArgMax {
  T value;
  int64_t index;
};

// The order of the two does not matter, or the lanes of a warp, which pair up in every way, would disagree: a NaN loses
// to every number.
template <class T>
TS_HD inline T larger_of(T a, T b) {
  return b > a || a != a ? b : a;
}
template <class T>
TS_HD inline ArgMax<T> better_of(ArgMax<T> a, ArgMax<T> b) {
  const bool a_nan = a.value != a.value, b_nan = b.value != b.value;
  if (a_nan != b_nan) return a_nan ? b : a;
  return b.value > a.value || (!(a.value > b.value) && b.index < a.index) ? b : a;
}

struct Solo {
  static constexpr bool kSolo = true;
  TS_HD static constexpr int64_t rank() { return 0; }
  TS_HD static constexpr int64_t size() { return 1; }
  TS_HD void sync() const {}
  template <class T>
  TS_HD T sum(T x) const {
    return x;
  }
  template <class T>
  TS_HD T max(T x) const {
    return x;
  }
  template <class T>
  TS_HD ArgMax<T> argmax(T x, int64_t index) const {
    return {x, index};
  }
  template <class T>
  TS_HD T broadcast(T x, int64_t) const {
    return x;
  }
};

#if defined(__CUDACC__)

struct Warp {
  static constexpr bool kSolo = false;
  static constexpr unsigned kAll = 0xffffffffu;
  __device__ static int64_t rank() { return threadIdx.x & 31; }
  __device__ static constexpr int64_t size() { return 32; }
  __device__ void sync() const { __syncwarp(); }
  template <class T>
  __device__ T sum(T x) const {
    for (int step = 16; step > 0; step /= 2) x += __shfl_xor_sync(kAll, x, step);
    return x;
  }
  template <class T>
  __device__ T max(T x) const {
    for (int step = 16; step > 0; step /= 2) x = larger_of(x, __shfl_xor_sync(kAll, x, step));
    return x;
  }
  template <class T>
  __device__ ArgMax<T> argmax(T x, int64_t index) const {
    ArgMax<T> best{x, index};
    for (int step = 16; step > 0; step /= 2) {
      best = better_of(
          best, ArgMax<T>{__shfl_xor_sync(kAll, best.value, step),
                          static_cast<int64_t>(__shfl_xor_sync(kAll, static_cast<long long>(best.index), step))});
    }
    return best;
  }
  template <class T>
  __device__ T broadcast(T x, int64_t lane) const {
    return __shfl_sync(kAll, x, static_cast<int>(lane));
  }
};

// A whole thread block. Reductions go warp by warp through 32 slots of shared memory.
struct Block {
  static constexpr bool kSolo = false;
  __device__ static int64_t rank() { return threadIdx.x; }
  __device__ static int64_t size() { return blockDim.x; }
  __device__ void sync() const { __syncthreads(); }
  template <class T>
  __device__ T sum(T x) const {
    const ArgMax<T> total = reduce(ArgMax<T>{Warp{}.sum(x), 0}, T(0), Add{});
    return total.value;
  }
  template <class T>
  __device__ T max(T x) const {
    x = Warp{}.max(x);
    return reduce(ArgMax<T>{x, 0}, x, Larger{}).value;
  }
  template <class T>
  __device__ ArgMax<T> argmax(T x, int64_t index) const {
    const ArgMax<T> best = Warp{}.argmax(x, index);
    return reduce(best, best.value, Larger{});
  }
  template <class T>
  __device__ T broadcast(T x, int64_t lane) const {
    __shared__ T slot;
    __syncthreads();  // the slot's readers of the last call are done
    if (rank() == lane) slot = x;
    __syncthreads();
    return slot;
  }

 private:
  struct Add {
    template <class T>
    __device__ ArgMax<T> operator()(ArgMax<T> a, ArgMax<T> b) const {
      return {a.value + b.value, 0};
    }
  };
  struct Larger {
    template <class T>
    __device__ ArgMax<T> operator()(ArgMax<T> a, ArgMax<T> b) const {
      return better_of(a, b);
    }
  };
  template <class T, class Op>
  __device__ ArgMax<T> reduce(ArgMax<T> mine, T, Op op) const {
    __shared__ ArgMax<T> slots[32];
    const int warps = (blockDim.x + 31) / 32;
    __syncthreads();
    if ((threadIdx.x & 31) == 0) slots[threadIdx.x / 32] = mine;
    __syncthreads();
    ArgMax<T> total = slots[0];
    for (int i = 1; i < warps; ++i) total = op(total, slots[i]);
    return total;
  }
};

#endif

// Sum of term(i) for i in [0, n), the same on every lane. A group of one keeps sixteen running sums, so that the
// compiler may use vector registers without being allowed to reorder floating-point arithmetic.
template <class Real, class Group, class Term>
TS_HD inline Real sum_over(Group group, int64_t n, Term term) {
  if constexpr (Group::kSolo) {
    constexpr int kWays = 16;
    Real part[kWays] = {};
    int64_t i = 0;
    for (; i + kWays <= n; i += kWays) {
      for (int j = 0; j < kWays; ++j) part[j] += term(i + j);
    }
    for (int j = 0; i < n; ++i, ++j) part[j] += term(i);
    for (int width = kWays / 2; width > 0; width /= 2) {
      for (int j = 0; j < width; ++j) part[j] += part[j + width];
    }
    return part[0];
  } else {
    Real total = 0;
    for (int64_t i = group.rank(); i < n; i += group.size()) total += term(i);
    return group.sum(total);
  }
}

// Largest term(i) for i in [0, n), the same on every lane; `lowest` when n is 0. A NaN among the terms is passed over.
template <class Real, class Group, class Term>
TS_HD inline Real max_over(Group group, int64_t n, Real lowest, Term term) {
  if constexpr (Group::kSolo) {
    constexpr int kWays = 16;
    Real part[kWays];
    for (int j = 0; j < kWays; ++j) part[j] = lowest;
    int64_t i = 0;
    for (; i + kWays <= n; i += kWays) {
      for (int j = 0; j < kWays; ++j) part[j] = math::max(part[j], static_cast<Real>(term(i + j)));
    }
    for (int j = 0; i < n; ++i, ++j) part[j] = math::max(part[j], static_cast<Real>(term(i)));
    for (int width = kWays / 2; width > 0; width /= 2) {
      for (int j = 0; j < width; ++j) part[j] = math::max(part[j], part[j + width]);
    }
    return part[0];
  } else {
    Real best = lowest;
    for (int64_t i = group.rank(); i < n; i += group.size()) best = math::max(best, static_cast<Real>(term(i)));
    return group.max(best);
  }
}

}  // namespace tailseg
