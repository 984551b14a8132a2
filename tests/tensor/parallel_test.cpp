// Ranges over threads: every index once, whatever the count; errors come back; no range inside a range.
#include "tensor/parallel.h"

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <vector>

#include "tensor/error.h"

using namespace tailseg;

TEST_CASE("every index belongs to exactly one chunk, in order, for any number of threads") {
  for (int threads : {1, 2, 3, 7, 16}) {
    for (int64_t count : {1, 2, 5, 16, 1000}) {
      std::vector<int> seen(static_cast<size_t>(count), 0);
      std::atomic<int> chunks{0};
      parallel_ranges(threads, count, [&](int64_t begin, int64_t end) {
        ++chunks;
        for (int64_t i = begin; i < end; ++i) ++seen[static_cast<size_t>(i)];
      });
      INFO(threads << " threads, " << count << " items");
      REQUIRE(seen == std::vector<int>(static_cast<size_t>(count), 1));
      REQUIRE(chunks == std::min<int64_t>(threads, count));
    }
  }
  parallel_ranges(4, 0, [](int64_t, int64_t) { FAIL("called for nothing"); });
  parallel_ranges(4, -3, [](int64_t, int64_t) { FAIL("called for less than nothing"); });
}

TEST_CASE("an exception of any chunk is thrown again after all chunks have ended") {
  for (int threads : {1, 4}) {
    std::atomic<int> ended{0};
    const auto run = [&] {
      parallel_ranges(threads, 8, [&](int64_t begin, int64_t end) {
        if (begin <= 5 && 5 < end) fail("item 5 of 8");
        ++ended;
      });
    };
    REQUIRE_THROWS_WITH(run(), "item 5 of 8");
    REQUIRE(ended == threads - 1);
  }
  std::atomic<int> again{0};  // and the next range runs on threads as ever
  parallel_ranges(4, 4, [&](int64_t, int64_t) { ++again; });
  REQUIRE(again == 4);
}

TEST_CASE("a range inside a range runs where it is called") {
  std::atomic<int> inner{0};
  parallel_ranges(3, 3, [&](int64_t, int64_t) {
    parallel_ranges(3, 9, [&](int64_t begin, int64_t end) {
      ++inner;
      if (begin != 0 || end != 9) fail("split once more");
    });
  });
  REQUIRE(inner == 3);
}
