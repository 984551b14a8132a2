// The caching allocator's figures, its classes, what it gives back, and what it says when there is no more.
#include "tensor/allocator.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>

#include "tensor/error.h"

using namespace tailseg;

TEST_CASE("a block is found again by its class, and the figures say so") {
  const auto memory = make_cpu_allocator();
  void* first = memory->allocate(1000);
  REQUIRE(reinterpret_cast<uintptr_t>(first) % 64 == 0);
  const auto size = static_cast<int64_t>(Allocator::size_class(1000));
  REQUIRE(memory->figures().live_bytes == size);
  memory->release(first, 1000);
  REQUIRE(memory->figures().live_bytes == 0);
  REQUIRE(memory->figures().cached_bytes == size);
  void* second = memory->allocate(980);  // of the same class
  REQUIRE(second == first);
  REQUIRE(memory->figures().system_allocations == 1);
  REQUIRE(memory->figures().requests == 2);
  REQUIRE(memory->figures().cached_bytes == 0);
  void* third = memory->allocate(980);
  REQUIRE(memory->figures().peak_bytes == 2 * size);
  memory->release(second, 980);
  memory->release(third, 980);
  memory->reset_peak();
  REQUIRE(memory->figures().peak_bytes == 0);
  memory->drop_cache();
  REQUIRE(memory->figures().cached_bytes == 0);
}

TEST_CASE("classes hold what was asked for and waste an eighth at most") {
  const size_t guard = debug_memory() ? 64 : 0;
  for (size_t bytes = 1; bytes < (size_t{1} << 36); bytes = bytes * 9 / 8 + 1) {
    const size_t size = Allocator::size_class(bytes);
    REQUIRE(size >= bytes + guard);
    REQUIRE(size <= std::max((bytes + guard) * 9 / 8 + 1, bytes + guard + 512));
    REQUIRE(size % 512 == 0);
    REQUIRE(Allocator::size_class(size - guard) == size);
  }
  REQUIRE(Allocator::size_class(0) > 0);
}

TEST_CASE("nothing asked for is a block of its own") {
  const auto memory = make_cpu_allocator();
  void* a = memory->allocate(0);
  void* b = memory->allocate(0);
  REQUIRE(a != b);
  memory->release(a, 0);
  memory->release(b, 0);
  memory->release(nullptr, 0);
  REQUIRE(memory->figures().live_bytes == 0);
}

TEST_CASE("sizes that no longer come are given back") {
  const auto memory = make_cpu_allocator();
  for (size_t mebibytes = 1; mebibytes <= 12; ++mebibytes) {  // one at a time, each of another class
    void* block = memory->allocate(mebibytes << 20);
    memory->release(block, mebibytes << 20);
    REQUIRE(memory->figures().cached_bytes <= 2 * memory->figures().peak_bytes);
  }
}

TEST_CASE("memory that is not there is an error with the figures, and nothing is lost") {
  const auto memory = make_cpu_allocator();
  void* block = memory->allocate(4096);
  REQUIRE_THROWS_WITH(memory->allocate(size_t{1} << 60), Catch::Contains("out of memory on cpu") &&
                                                             Catch::Contains("e+12 MiB asked for") &&
                                                             Catch::Contains("MiB in use"));
  REQUIRE_THROWS_AS(memory->allocate(~size_t{0} - 100), Error);
  std::memset(block, 1, 4096);
  memory->release(block, 4096);
  REQUIRE(memory->figures().live_bytes == 0);
}
