// Rows are spread over threads; inside a row a sieve keeps the best k seen so far.
//
// The sieve holds up to 2k candidates. When it is full, nth_element keeps the best k and the worst of them becomes the
// bar that later keys must pass. With k much smaller than n almost every key fails at the bar, so a row costs one
// pass. A key and its index are packed so that one comparison gives the whole order.
#include <algorithm>
#include <limits>
#include <vector>

#include "tensor/parallel.h"
#include "tensor/profiler.h"
#include "tensor/sort.h"
#include "tensor/sort_order.h"

namespace tailseg {
namespace {

// Candidate<Real>::of(key, index): comparable by >, the first in order being the largest.
template <class Real>
struct Candidate;

template <>
struct Candidate<float> {
  uint64_t packed;
  static Candidate of(float key, uint32_t index) {
    return {uint64_t{ordered_bits<uint32_t>(key)} << 32 | static_cast<uint32_t>(~index)};
  }
  uint32_t index() const { return ~static_cast<uint32_t>(packed); }
  bool operator>(const Candidate& other) const { return packed > other.packed; }
};

template <>
struct Candidate<double> {
  uint64_t bits;
  uint32_t place;
  static Candidate of(double key, uint32_t index) { return {ordered_bits<uint64_t>(key), index}; }
  uint32_t index() const { return place; }
  bool operator>(const Candidate& other) const {
    return bits > other.bits || (bits == other.bits && place < other.place);
  }
};

constexpr auto kBest = [](const auto& a, const auto& b) { return a > b; };

template <class Real>
void best_of_row(const Real* keys, int64_t count, int64_t k, std::vector<Candidate<Real>>& sieve) {
  sieve.clear();
  const int64_t keep = std::min(count, k);
  const size_t room = static_cast<size_t>(std::min(count, std::max<int64_t>(2 * keep, 1024)));
  sieve.reserve(room);
  const auto kept_end = [&] { return sieve.begin() + keep; };
  bool barred = false;
  Candidate<Real> bar{};
  for (int64_t i = 0; i < count; ++i) {
    const auto candidate = Candidate<Real>::of(keys[i], static_cast<uint32_t>(i));
    if (barred && !(candidate > bar)) continue;
    if (sieve.size() == room) {
      std::nth_element(sieve.begin(), kept_end() - 1, sieve.end(), kBest);
      sieve.erase(kept_end(), sieve.end());
      bar = sieve.back();
      barred = true;
      if (!(candidate > bar)) continue;
    }
    sieve.push_back(candidate);
  }
  if (static_cast<int64_t>(sieve.size()) > keep) {
    std::nth_element(sieve.begin(), kept_end() - 1, sieve.end(), kBest);
    sieve.erase(kept_end(), sieve.end());
  }
  std::sort(sieve.begin(), sieve.end(), kBest);
}

template <class Real>
void topk_rows(const Real* keys, const int32_t* counts, Real* values, int32_t* indices, int64_t n, int64_t k,
               int64_t begin, int64_t end) {
  std::vector<Candidate<Real>> best;
  for (int64_t row = begin; row < end; ++row) {
    const Real* mine = keys + row * n;
    best.clear();
    const int64_t count = counts ? std::clamp<int64_t>(counts[row], 0, n) : n;
    if (count > 0) best_of_row(mine, count, k, best);
    for (int64_t i = 0; i < k; ++i) {
      const bool valid = i < static_cast<int64_t>(best.size());
      const int32_t index = valid ? static_cast<int32_t>(best[static_cast<size_t>(i)].index()) : -1;
      indices[row * k + i] = index;
      values[row * k + i] = valid ? mine[index] : -std::numeric_limits<Real>::infinity();
    }
  }
}

// Waking threads costs about 20 microseconds: below this many entries one thread is faster.
int threads_for_entries(const Context& ctx, int64_t entries) { return entries < 65536 ? 1 : ctx.threads(); }

template <class Integer>
void scan_row(const Integer* x, Integer* out, int64_t n) {
  int64_t total = 0;
  for (int64_t i = 0; i < n; ++i) {
    out[i] = static_cast<Integer>(total);
    total += x[i];
  }
  out[n] = static_cast<Integer>(total);
}

template <class Integer>
void scan_rows(Context& ctx, const Tensor& x, const Tensor& out) {
  const int64_t n = x.size(-1), rows = out.elements() / (n + 1);
  const Integer* from = x.data<Integer>();
  Integer* to = out.data<Integer>();
  parallel_ranges(threads_for_entries(ctx, x.elements()), rows, [=](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) scan_row(from + row * n, to + row * (n + 1), n);
  });
}

}  // namespace

void topk_cpu(Context& ctx, const Tensor& keys, const Tensor* counts, const RankedRows& out) {
  const int64_t rows = keys.size(0), n = keys.size(1), k = out.values.size(1);
  KernelScope scope(ctx, "topk", {double(keys.bytes() + out.values.bytes() + out.indices.bytes()), double(rows * n)});
  const int32_t* valid = counts ? counts->data<int32_t>() : nullptr;
  dispatch_full(keys.dtype(), "topk", [&]<class Real>(Real) {
    const Real* from = keys.data<Real>();
    Real* values = out.values.data<Real>();
    int32_t* indices = out.indices.data<int32_t>();
    parallel_ranges(threads_for_entries(ctx, rows * n), rows,
                    [=](int64_t begin, int64_t end) { topk_rows(from, valid, values, indices, n, k, begin, end); });
  });
}

void exclusive_scan_cpu(Context& ctx, const Tensor& x, const Tensor& out) {
  KernelScope scope(ctx, "exclusive_scan", {double(x.bytes() + out.bytes()), double(x.elements())});
  if (x.dtype() == DType::int32)
    scan_rows<int32_t>(ctx, x, out);
  else
    scan_rows<int64_t>(ctx, x, out);
}

}  // namespace tailseg
