// The memory pool against a reference that keeps one flag for each byte, and the allocator against a system that has
// little memory.
#include "tensor/allocator.h"

#ifdef __unix__
#include <sys/wait.h>
#include <unistd.h>
#endif

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <vector>

#include "tensor/error.h"
#include "tensor/memory_pool.h"
#include "tensor/philox.h"

using namespace tailseg;

namespace {

// Free bytes as flags. The best fit is looked for by walking all runs of free bytes inside all segments.
struct FlagPool {
  std::vector<bool> free = std::vector<bool>(4096, false);
  std::vector<std::pair<size_t, size_t>> segments;  // begin, end

  void add(size_t begin, size_t end) {
    segments.emplace_back(begin, end);
    mark(begin, end, true);
  }
  void mark(size_t begin, size_t end, bool value) {
    for (size_t i = begin; i < end; ++i) free[i] = value;
  }
  // -1 when nothing fits.
  int64_t best(size_t bytes) const {
    int64_t at = -1;
    size_t least = SIZE_MAX;
    for (const auto& [begin, end] : segments) {
      for (size_t i = begin; i < end; ++i) {
        if (!free[i] || (i > begin && free[i - 1])) continue;
        size_t run = 0;
        while (i + run < end && free[i + run]) ++run;
        if (run >= bytes && (run < least || (run == least && static_cast<int64_t>(i) < at))) {
          least = run;
          at = static_cast<int64_t>(i);
        }
      }
    }
    return at;
  }
};

// A system with `limit` bytes. Blocks really exist, so that debug fills and AddressSanitizer have something to look at.
class SmallSystem final : public Allocator {
 public:
  explicit SmallSystem(size_t limit) : limit_(limit) {}
  ~SmallSystem() override { drop_cache(); }
  size_t used() const { return used_; }
  size_t most() const { return most_; }

 protected:
  void* system_allocate(size_t bytes) override {
    if (used_ + bytes > limit_) return nullptr;
    void* block = std::aligned_alloc(64, bytes);
    sizes_[block] = bytes;
    used_ += bytes;
    most_ = std::max(most_, used_);
    return block;
  }
  void system_release(void* block) noexcept override {
    used_ -= sizes_[block];
    sizes_.erase(block);
    std::free(block);
  }
  const char* device_name() const override { return "a small system"; }
  void set_bytes(void* to, int value, size_t bytes) override { std::memset(to, value, std::min<size_t>(bytes, 4096)); }
  void read_bytes(void*, const void*, size_t) noexcept override {}

 private:
  size_t limit_, used_ = 0, most_ = 0;
  std::map<void*, size_t> sizes_;
};

constexpr size_t kMiB = size_t{1} << 20;

}  // namespace

TEST_CASE("the pool gives the best fit and joins free neighbours, as a walk over all bytes does") {
  alignas(64) static char memory[4096];
  MemoryPool pool;
  FlagPool flags;
  // The second and third lie side by side and must never grow together.
  for (const auto& [begin, end] : {std::pair<size_t, size_t>{0, 1000}, {1500, 2500}, {2500, 4000}}) {
    pool.add_segment(memory + begin, end - begin);
    flags.add(begin, end);
  }
  std::vector<std::pair<size_t, size_t>> taken;  // begin, bytes
  size_t refused = 0;
  RandomStream draw({3, random_purpose("pool test")}, 0, 0);
  for (int i = 0; i < 4000; ++i) {
    if (draw.below(5) < 3 || taken.empty()) {
      const size_t bytes = 1 + draw.below(draw.below(4) == 0 ? 1500 : 200);
      char* block = pool.take(bytes);
      const int64_t expected = flags.best(bytes);
      REQUIRE((block ? block - memory : -1) == expected);
      if (!block) {
        ++refused;
        continue;
      }
      const auto at = static_cast<size_t>(expected);
      flags.mark(at, at + bytes, false);
      taken.emplace_back(at, bytes);
    } else {
      const size_t which = draw.below(static_cast<uint32_t>(taken.size()));
      const auto [at, bytes] = taken[which];
      taken.erase(taken.begin() + static_cast<int64_t>(which));
      pool.give_back(memory + at, bytes);
      flags.mark(at, at + bytes, true);
    }
    REQUIRE(pool.free_bytes() == static_cast<size_t>(std::count(flags.free.begin(), flags.free.end(), true)));
  }
  CHECK(refused > 50);
  for (const auto& [at, bytes] : taken) pool.give_back(memory + at, bytes);
  CHECK(pool.free_blocks() == 3);
  CHECK(pool.remove_unused_segments().size() == 3);
  CHECK(pool.free_bytes() == 0);
}

TEST_CASE("only segments of which nothing is in use leave the pool") {
  static char memory[300];
  MemoryPool pool;
  pool.add_segment(memory, 100);
  pool.add_segment(memory + 100, 200);
  char* block = pool.take(50);
  REQUIRE(block == memory);
  const auto unused = pool.remove_unused_segments();
  REQUIRE(unused.size() == 1);
  CHECK(unused[0] == std::pair<char*, size_t>(memory + 100, 200));
  pool.give_back(block, 50);
  CHECK(pool.remove_unused_segments().size() == 1);
}

TEST_CASE("the same requests again ask the system for nothing") {
  const std::shared_ptr<Allocator> allocator = make_cpu_allocator();
  const auto step = [&] {
    std::vector<std::pair<void*, size_t>> live;
    for (size_t i = 1; i <= 40; ++i) live.emplace_back(allocator->allocate(i * 100'003), i * 100'003);
    for (const auto& [block, bytes] : live) {
      REQUIRE(reinterpret_cast<uintptr_t>(block) % 64 == 0);
      std::memset(block, 1, bytes);
    }
    for (const auto& [block, bytes] : live) allocator->release(block, bytes);
  };
  step();
  step();
  const MemoryFigures before = allocator->figures();
  step();
  const MemoryFigures after = allocator->figures();
  CHECK(after.system_allocations == before.system_allocations);
  CHECK(after.requests == before.requests + 40);
  CHECK(after.live_bytes == 0);
  CHECK(after.cached_bytes >= after.peak_bytes);
  allocator->drop_cache();
  CHECK(allocator->figures().cached_bytes == 0);
}

TEST_CASE("sizes that never come again do not pile up") {
  SmallSystem system(size_t{2048} * kMiB);
  size_t peak = 0;
  for (size_t step = 0; step < 60; ++step) {
    std::vector<std::pair<void*, size_t>> live;
    size_t sum = 0;
    for (size_t i = 0; i < 12; ++i) {
      const size_t bytes = kMiB * (10 + (step * 7 + i * 5) % 13) + step * 4096;
      live.emplace_back(system.allocate(bytes), bytes);
      sum += bytes;
    }
    peak = std::max(peak, sum);
    for (const auto& [block, bytes] : live) system.release(block, bytes);
  }
  CHECK(static_cast<double>(system.most()) < 1.6 * static_cast<double>(peak));
}

TEST_CASE("memory that runs out is an error with the figures, after unused segments were given back") {
  SmallSystem system(100 * kMiB);
  void* block = system.allocate(50 * kMiB);
  CHECK_THROWS_WITH(system.allocate(60 * kMiB), Catch::Contains("out of memory on a small system") &&
                                                    Catch::Contains("60") && Catch::Contains("50") &&
                                                    Catch::Contains("smaller image size"));
  CHECK(system.figures().live_bytes < static_cast<int64_t>(51 * kMiB));
  system.release(block, 50 * kMiB);
  block = system.allocate(90 * kMiB);  // fits only when the first segment has gone
  system.release(block, 90 * kMiB);
  CHECK(system.figures().live_bytes == 0);
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

#ifdef __unix__
// What a child process that writes `bytes_behind` bytes behind a block of `bytes` comes to: 0 when nobody minded.
int end_of_writer(size_t bytes, size_t bytes_behind) {
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    if (!std::freopen("/dev/null", "w", stderr)) _exit(1);
    const auto memory = make_cpu_allocator();
    char* block = static_cast<char*>(memory->allocate(bytes));
    std::memset(block, 1, bytes + bytes_behind);
    memory->release(block, bytes);
    _exit(0);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  return status;
}

TEST_CASE("a write behind a block is noticed from the first byte") {
  REQUIRE(debug_memory());
  for (size_t bytes : {size_t{0}, size_t{1}, size_t{448}, size_t{511}, size_t{512}, size_t{100'000}}) {
    CHECK(end_of_writer(bytes, 0) == 0);
    CHECK(end_of_writer(bytes, 1) != 0);
  }
}
#endif

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
