// Top-k, sort and scan against std::stable_sort and running sums written here, and the naive body against both.
#include "tensor/sort.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <random>

#include "tensor/sort_naive_body.h"
#include "tests/crew.h"
#include "tests/devices.h"

using namespace tailseg;

namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

template <class Real>
struct Expected {
  std::vector<Real> values;
  std::vector<int32_t> indices;
};

// The order by its words: a stable sort of the valid part, NaN behind, larger first.
template <class Real>
Expected<Real> expected_topk(const std::vector<Real>& keys, int64_t rows, int64_t n, int64_t k,
                             const std::vector<int32_t>* counts) {
  Expected<Real> out;
  for (int64_t row = 0; row < rows; ++row) {
    const Real* mine = keys.data() + row * n;
    int64_t count = counts ? (*counts)[static_cast<size_t>(row)] : n;
    count = std::min(std::max<int64_t>(count, 0), n);
    std::vector<int32_t> order(static_cast<size_t>(count));
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
      if (std::isnan(mine[b])) return !std::isnan(mine[a]);
      return mine[a] > mine[b];
    });
    order.resize(static_cast<size_t>(k), -1);
    for (int32_t index : order) {
      out.indices.push_back(index);
      out.values.push_back(index < 0 ? -std::numeric_limits<Real>::infinity() : mine[index]);
    }
  }
  return out;
}

template <class Real>
bool same_bits(const std::vector<Real>& a, const std::vector<Real>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(Real)) == 0;
}

// Keys with many ties, signed zeros, infinities and NaN.
template <class Real>
std::vector<Real> awkward_keys(int64_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<Real> keys(static_cast<size_t>(count));
  const Real special[] = {Real(0), -Real(0), Real(kInf), Real(-kInf), Real(kNan), -Real(kNan), Real(1e-42)};
  for (Real& key : keys) {
    const unsigned kind = random() % 10;
    if (kind == 0)
      key = special[random() % 7];
    else if (kind < 5)
      key = Real(static_cast<int>(random() % 17) - 8) / 4;
    else
      key = Real(static_cast<int32_t>(random())) / Real(1 << 20);
  }
  return keys;
}

template <class Real>
void check_topk(Context& ctx, int64_t rows, int64_t n, int64_t k, bool with_counts, unsigned seed) {
  const std::vector<Real> keys = awkward_keys<Real>(rows * n, seed);
  std::vector<int32_t> counts(static_cast<size_t>(rows));
  std::mt19937 random(seed + 1);
  for (int32_t& count : counts) count = static_cast<int32_t>(random() % static_cast<unsigned>(n + 4)) - 2;
  const auto expected = expected_topk(keys, rows, n, k, with_counts ? &counts : nullptr);
  const Tensor device_keys = Tensor::from(ctx, {rows, n}, keys);
  const Tensor device_counts = Tensor::from(ctx, {rows}, counts);
  INFO("rows " << rows << " n " << n << " k " << k << " counts " << with_counts << " on " << ctx.device().name());
  const RankedRows got = topk(ctx, device_keys, k, with_counts ? &device_counts : nullptr);
  CHECK(got.indices.to_vector<int32_t>(ctx) == expected.indices);
  CHECK(same_bits(got.values.to_vector<Real>(ctx), expected.values));
  if (n > 5000) return;
  const RankedRows naive{Tensor::empty(ctx, {rows, k}, dtype_of<Real>()), Tensor::empty(ctx, {rows, k}, DType::int32)};
  topk_naive(ctx, device_keys, with_counts ? &device_counts : nullptr, naive);
  CHECK(naive.indices.to_vector<int32_t>(ctx) == expected.indices);
  CHECK(same_bits(naive.values.to_vector<Real>(ctx), expected.values));
}

}  // namespace

TEST_CASE("topk by hand: order, ties, signed zeros, NaN and padding") {
  for (Context* ctx : devices()) {
    const Tensor keys = Tensor::from(*ctx, {2, 6},
                                     std::vector<float>{1, 3, kNan, 3, -0.f, 0.f,  //
                                                        -kInf, 5, 7, kNan, 9, 9});
    const Tensor counts = Tensor::from(*ctx, {2}, std::vector<int32_t>{6, 3});
    const RankedRows got = topk(*ctx, keys, 7, &counts);
    REQUIRE(got.indices.to_vector<int32_t>(*ctx) ==
            std::vector<int32_t>{1, 3, 0, 4, 5, 2, -1, 2, 1, 0, -1, -1, -1, -1});
    const auto values = got.values.to_vector<float>(*ctx);
    REQUIRE((values[0] == 3 && values[1] == 3 && values[2] == 1 && std::isnan(values[5]) && values[6] == -kInf));
    REQUIRE((values[7] == 7 && values[8] == 5 && values[9] == -kInf && values[10] == -kInf));
  }
}

TEST_CASE("topk agrees with a stable sort for every kind of size") {
  for (Context* ctx : devices()) {
    unsigned seed = 1;
    for (int64_t n : {1, 2, 31, 64, 257, 1000, 4099}) {
      for (int64_t k : {1, 3, 64, 300, 2000}) {
        check_topk<float>(*ctx, 3, n, k, false, seed++);
        check_topk<float>(*ctx, 5, n, k, true, seed++);
        if (!ctx->device().is_cuda()) check_topk<double>(*ctx, 2, n, k, true, seed++);
      }
    }
    check_topk<float>(*ctx, 2, 201600, 2000, false, seed++);
    check_topk<float>(*ctx, 5, 50400, 1000, true, seed++);
    check_topk<float>(*ctx, 2, 100000, 5000, true, seed++);
    check_topk<float>(*ctx, 1, 70000, 70000, false, seed++);
    check_topk<float>(*ctx, 700, 33, 10, true, seed++);
  }
}

TEST_CASE("topk of rows that are all equal, all NaN, ascending or descending") {
  const int64_t n = GENERATE(20000, 50000), k = 1000;
  for (Context* ctx : devices()) {
    std::vector<float> keys;
    for (int64_t i = 0; i < n; ++i) keys.push_back(0.25f);
    for (int64_t i = 0; i < n; ++i) keys.push_back(kNan);
    for (int64_t i = 0; i < n; ++i) keys.push_back(static_cast<float>(i));
    for (int64_t i = 0; i < n; ++i) keys.push_back(static_cast<float>(-i));
    const auto got = topk(*ctx, Tensor::from(*ctx, {4, n}, keys), k).indices.to_vector<int32_t>(*ctx);
    for (int64_t i = 0; i < k; ++i) {
      REQUIRE(got[static_cast<size_t>(i)] == i);
      REQUIRE(got[static_cast<size_t>(k + i)] == i);
      REQUIRE(got[static_cast<size_t>(2 * k + i)] == n - 1 - i);
      REQUIRE(got[static_cast<size_t>(3 * k + i)] == i);
    }
  }
}

TEST_CASE("topk of nothing is nothing") {
  for (Context* ctx : devices()) {
    REQUIRE(topk(*ctx, Tensor::empty(*ctx, {0, 7}), 3).values.shape() == Shape{0, 3});
    REQUIRE(topk(*ctx, Tensor::full(*ctx, {2, 7}, 1), 0).indices.shape() == Shape{2, 0});
    const RankedRows padded = topk(*ctx, Tensor::empty(*ctx, {2, 0}), 3);
    REQUIRE(padded.indices.to_vector<int32_t>(*ctx) == std::vector<int32_t>(6, -1));
    REQUIRE(padded.values.to_vector<float>(*ctx) == std::vector<float>(6, -kInf));
  }
}

TEST_CASE("sort_rows_descending is a stable sort with the invalid part behind") {
  for (Context* ctx : devices()) {
    const int64_t rows = 3, n = 5000;
    const std::vector<float> keys = awkward_keys<float>(rows * n, 77);
    const std::vector<int32_t> counts{4999, 0, 1234};
    const auto expected = expected_topk(keys, rows, n, n, &counts);
    const Tensor device_counts = Tensor::from(*ctx, {rows}, counts);
    const RankedRows got = sort_rows_descending(*ctx, Tensor::from(*ctx, {rows, n}, keys), &device_counts);
    REQUIRE(got.indices.to_vector<int32_t>(*ctx) == expected.indices);
    REQUIRE(same_bits(got.values.to_vector<float>(*ctx), expected.values));
  }
}

TEST_CASE("the result does not depend on the number of threads") {
  const std::vector<float> keys = awkward_keys<float>(7 * 30000, 5);
  Context one(Device{}, ContextOptions{1, MathMode::float32}), five(Device{}, ContextOptions{5, MathMode::float32});
  const RankedRows a = topk(one, Tensor::from(one, {7, 30000}, keys), 999);
  const RankedRows b = topk(five, Tensor::from(five, {7, 30000}, keys), 999);
  REQUIRE(a.indices.to_vector<int32_t>(one) == b.indices.to_vector<int32_t>(five));
}

TEST_CASE("exclusive_scan gives offsets and the total") {
  for (Context* ctx : devices()) {
    const Tensor x = Tensor::from(*ctx, {2, 3}, std::vector<int32_t>{4, 0, -1, 7, 7, 7});
    REQUIRE(exclusive_scan(*ctx, x).to_vector<int32_t>(*ctx) == std::vector<int32_t>{0, 4, 4, 3, 0, 7, 14, 21});
    REQUIRE(exclusive_scan(*ctx, Tensor::empty(*ctx, {0}, DType::int64)).to_vector<int64_t>(*ctx) ==
            std::vector<int64_t>{0});
    for (int64_t n : {1, 255, 256, 257, 100001}) {
      std::vector<int64_t> values(static_cast<size_t>(n)), expected{0};
      std::mt19937_64 random(static_cast<uint64_t>(n));
      for (int64_t& value : values) {
        value = static_cast<int64_t>(random() >> 20) - (int64_t{1} << 42);
        expected.push_back(expected.back() + value);
      }
      const Tensor big = Tensor::from(*ctx, {n}, values);
      REQUIRE(exclusive_scan(*ctx, big).to_vector<int64_t>(*ctx) == expected);
      if (n > 1000) continue;
      const Tensor naive = Tensor::empty(*ctx, {n + 1}, DType::int64);
      exclusive_scan_naive(*ctx, big, naive);
      REQUIRE(naive.to_vector<int64_t>(*ctx) == expected);
    }
  }
}

TEST_CASE("the naive bodies on a crew of lanes") {
  const int64_t rows = 2, n = 45, k = 50;
  const std::vector<float> keys = awkward_keys<float>(rows * n, 9);
  const std::vector<int32_t> counts{45, 17};
  const auto expected = expected_topk(keys, rows, n, k, &counts);
  std::vector<float> values(static_cast<size_t>(rows * k), kNan);
  std::vector<int32_t> indices(values.size(), -7);
  crew::run(5, rows * TopkNaive<float>::items_per_row(n, k),
            TopkNaive<float>{keys.data(), counts.data(), values.data(), indices.data(), n, k});
  REQUIRE(indices == expected.indices);
  REQUIRE(same_bits(values, expected.values));

  const std::vector<int32_t> x{3, 1, 4, 1, 5, 9, 2, 6};
  std::vector<int32_t> offsets(9, -1);
  crew::run(3, 9, ExclusiveScanNaive<int32_t>{x.data(), offsets.data(), 8});
  REQUIRE(offsets == std::vector<int32_t>{0, 3, 4, 8, 9, 14, 23, 25, 31});
}

TEST_CASE("sort refuses what it cannot sort, in words") {
  Context& ctx = cpu_context();
  REQUIRE_THROWS_WITH(topk(ctx, Tensor::empty(ctx, {3}), 1), Catch::Contains("topk: keys: expected shape"));
  REQUIRE_THROWS_WITH(topk(ctx, Tensor::zeros(ctx, {1, 3}, DType::int32), 1), Catch::Contains("got int32"));
  REQUIRE_THROWS_WITH(topk(ctx, Tensor::zeros(ctx, {1, 3}), -1), Catch::Contains("k -1"));
  const Tensor wrong = Tensor::zeros(ctx, {2}, DType::int32);
  REQUIRE_THROWS_WITH(topk(ctx, Tensor::zeros(ctx, {1, 3}), 1, &wrong), Catch::Contains("topk: counts"));
  REQUIRE_THROWS_WITH(exclusive_scan(ctx, Tensor::zeros(ctx, {3})), Catch::Contains("int32 or int64, got float32"));
}
