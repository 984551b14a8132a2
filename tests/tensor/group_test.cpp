// One body, its executors, and the mistakes that only one of them can see.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "tensor/elementwise_body.h"
#include "tensor/matmul_naive_body.h"
#include "tests/crew.h"

using namespace tailseg;

namespace {

// Reverses each row through scratch. Correct with its sync, whatever the number of lanes.
template <bool kSync>
struct ReverseRow {
  const float* x;
  float* scratch;
  float* out;
  int64_t n;
  template <class Group>
  void operator()(Group group, int64_t row) const {
    for (int64_t i = group.rank(); i < n; i += group.size()) scratch[row * n + i] = x[row * n + i];
    if constexpr (kSync) group.sync();
    for (int64_t i = group.rank(); i < n; i += group.size()) out[row * n + i] = scratch[row * n + n - 1 - i];
  }
};

// Takes for granted that a second lane exists: the last element is written by lane 1 only.
struct NeedsTwoLanes {
  float* out;
  int64_t n;
  template <class Group>
  void operator()(Group group, int64_t) const {
    for (int64_t i = group.rank(); i < n - 1; i += group.size()) out[i] = 1;
    if (group.rank() == 1) out[n - 1] = 1;
  }
};

// Every lane adds to the same element, where one lane should.
struct EveryLaneWrites {
  const float* x;
  float* out;
  int64_t n;
  template <class Group>
  void operator()(Group group, int64_t) const {
    float total = 0;
    for (int64_t i = group.rank(); i < n; i += group.size()) total += x[i];
    out[group.rank() == 0 ? 0 : group.rank()] = total;  // forgot group.sum
  }
};

template <class Body>
void run_solo(int64_t items, const Body& body) {
  for (int64_t item = 0; item < items; ++item) body(Solo{}, item);
}

std::vector<float> ramp(int64_t n) {
  std::vector<float> x(static_cast<size_t>(n));
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i % 97) - 31.5f;
  return x;
}

}  // namespace

TEST_CASE("a body with scratch gives the same on one lane and on a crew") {
  const int64_t rows = 3, n = 61;
  const std::vector<float> x = ramp(rows * n);
  std::vector<float> scratch(x.size()), solo(x.size()), crew(x.size());
  run_solo(rows, ReverseRow<true>{x.data(), scratch.data(), solo.data(), n});
  crew::run(8, rows, ReverseRow<true>{x.data(), scratch.data(), crew.data(), n});
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t i = 0; i < n; ++i) REQUIRE(solo[size_t(row * n + i)] == x[size_t(row * n + n - 1 - i)]);
  }
  REQUIRE(solo == crew);
}

#if !defined(__SANITIZE_THREAD__)  // the race is the point; ThreadSanitizer has its own test of it
TEST_CASE("a removed sync is invisible to one lane and wrong on a crew") {
  const int64_t rows = 400, n = 257;
  const std::vector<float> x = ramp(rows * n);
  std::vector<float> right(x.size()), solo(x.size()), crew(x.size());
  std::vector<float> scratch(x.size(), -1000.f);
  run_solo(rows, ReverseRow<true>{x.data(), scratch.data(), right.data(), n});
  scratch.assign(x.size(), -1000.f);
  run_solo(rows, ReverseRow<false>{x.data(), scratch.data(), solo.data(), n});
  REQUIRE(solo == right);
  scratch.assign(x.size(), -1000.f);
  crew::run(8, rows, ReverseRow<false>{x.data(), scratch.data(), crew.data(), n});
  REQUIRE(crew != right);
}
#endif

TEST_CASE("a body that needs a second lane is right on a crew and wrong on one lane") {
  std::vector<float> solo(10, 0), crew(10, 0);
  crew::run(4, 1, NeedsTwoLanes{crew.data(), 10});
  REQUIRE(crew == std::vector<float>(10, 1.f));
  run_solo(1, NeedsTwoLanes{solo.data(), 10});
  REQUIRE(solo != crew);
}

TEST_CASE("a forgotten reduction is right on one lane and wrong on a crew") {
  const std::vector<float> x(64, 1.f);
  std::vector<float> solo(16, 0), crew(16, 0);
  run_solo(1, EveryLaneWrites{x.data(), solo.data(), 64});
  REQUIRE(solo[0] == 64.f);
  crew::run(4, 1, EveryLaneWrites{x.data(), crew.data(), 64});
  REQUIRE(crew[0] != 64.f);
}

TEST_CASE("crew reductions agree with their definition") {
  struct Reductions {
    double* out;
    void operator()(crew::Crew group, int64_t) const {
      const double mine = group.rank() == 2 ? 9.0 : static_cast<double>(group.rank());
      const double sum = group.sum(mine), largest = group.max(mine);
      const ArgMax<double> best = group.argmax(mine == 9.0 ? 3.0 : mine, group.rank());  // 0 1 3 3: lane 2 wins the tie
      const double second = group.broadcast(mine, 1);
      out[group.rank() * 4] = sum;
      out[group.rank() * 4 + 1] = largest;
      out[group.rank() * 4 + 2] = static_cast<double>(best.index);
      out[group.rank() * 4 + 3] = second;
    }
  };
  std::vector<double> out(16);
  crew::run(4, 1, Reductions{out.data()});
  for (size_t lane = 0; lane < 4; ++lane) {
    REQUIRE(out[lane * 4] == 13.0);
    REQUIRE(out[lane * 4 + 1] == 9.0);
    REQUIRE(out[lane * 4 + 2] == 2.0);
    REQUIRE(out[lane * 4 + 3] == 1.0);
  }
}

TEST_CASE("row sums agree between one lane, a crew and a plain loop") {
  const int64_t rows = 5, n = 1003;
  const std::vector<float> x = ramp(rows * n);
  std::vector<float> solo(static_cast<size_t>(rows)), crew(static_cast<size_t>(rows));
  run_solo(rows, SumRow<float>{x.data(), solo.data(), n});
  crew::run(7, rows, SumRow<float>{x.data(), crew.data(), n});
  for (int64_t row = 0; row < rows; ++row) {
    double total = 0;
    for (int64_t i = 0; i < n; ++i) total += x[size_t(row * n + i)];
    REQUIRE(solo[size_t(row)] == Approx(total).epsilon(1e-5));
    REQUIRE(crew[size_t(row)] == Approx(total).epsilon(1e-5));
  }
}

TEST_CASE("the larger of two does not depend on their order, and a NaN is never larger") {
  const float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  for (const float a : {nan, -infinity, -1.f, 2.f, infinity}) {
    for (const float b : {nan, -infinity, -1.f, 2.f, infinity}) {
      INFO(a << " and " << b);
      const float either = larger_of(a, b), other = larger_of(b, a);
      REQUIRE((either == other || (std::isnan(a) && std::isnan(b))));
      REQUIRE(std::isnan(either) == (std::isnan(a) && std::isnan(b)));
      for (const int64_t i : {3, 7}) {
        const ArgMax<float> one = better_of(ArgMax<float>{a, 5}, ArgMax<float>{b, i});
        const ArgMax<float> two = better_of(ArgMax<float>{b, i}, ArgMax<float>{a, 5});
        REQUIRE(one.index == two.index);
        if (std::isnan(a) != std::isnan(b)) REQUIRE(one.index == (std::isnan(a) ? i : 5));
        if (a == b) REQUIRE(one.index == std::min<int64_t>(i, 5));
      }
    }
  }
}

TEST_CASE("one lane with a NaN changes no other lane's maximum") {
  struct Largest {
    float* out;
    void operator()(crew::Crew group, int64_t) const {
      const float mine = group.rank() == 0 ? std::numeric_limits<float>::quiet_NaN() : static_cast<float>(group.rank());
      out[group.rank() * 2] = group.max(mine);
      out[group.rank() * 2 + 1] = static_cast<float>(group.argmax(mine, group.rank()).index);
    }
  };
  std::vector<float> out(8);
  crew::run(4, 1, Largest{out.data()});
  REQUIRE(out == std::vector<float>{3, 3, 3, 3, 3, 3, 3, 3});
}
