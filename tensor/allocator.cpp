#include "tensor/allocator.h"

#ifdef __linux__
#include <sys/mman.h>
#endif

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

#include "tensor/error.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

namespace tailseg {
namespace {

constexpr size_t kAlignment = 64;
constexpr size_t kStep = 512;  // of block sizes
constexpr size_t kGuardBytes = 64;
constexpr size_t kMiB = size_t{1} << 20;
constexpr size_t kSmallBlock = kMiB, kSmallSegment = 4 * kMiB, kLargeSegment = 64 * kMiB, kSegmentStep = 2 * kMiB;
constexpr unsigned char kGuard = 0xA5;

std::string mebibytes(int64_t bytes) { return text(static_cast<double>(bytes >> 10) / 1024.0, " MiB"); }

// TAILSEG_DEBUG_MEMORY=exact: blocks come from the system one by one, as long as they were asked for.
bool exact_memory() {
  static const bool on = [] {
    const char* setting = std::getenv("TAILSEG_DEBUG_MEMORY");
    return setting && std::strcmp(setting, "exact") == 0;
  }();
  return on;
}

// What a request is rounded up to. In debug all that lies behind the bytes that were asked for is guard band.
size_t block_bytes(size_t bytes) {
  if (debug_memory()) bytes += kGuardBytes;
  return (std::max<size_t>(bytes, 1) + kStep - 1) / kStep * kStep;
}

class CpuAllocator final : public Allocator {
 public:
  ~CpuAllocator() override { drop_cache(); }

 protected:
  // A segment of whole huge pages is walked with a five-hundredth of the page faults and table look-ups.
  void* system_allocate(size_t bytes) override {
    void* segment = std::aligned_alloc(kSegmentStep, bytes);
#ifdef __linux__
    if (segment && bytes >= kLargeSegment) madvise(segment, bytes, MADV_HUGEPAGE);  // only advice: refusal is no error
#endif
    return segment;
  }
  void system_release(void* block) noexcept override { std::free(block); }
  const char* device_name() const override { return "cpu"; }
  void set_bytes(void* to, int value, size_t bytes) override { std::memset(to, value, bytes); }
  void read_bytes(void* to, const void* from, size_t bytes) noexcept override { std::memcpy(to, from, bytes); }
#ifdef __SANITIZE_ADDRESS__
  void forbid(void* block, size_t bytes) noexcept override { __asan_poison_memory_region(block, bytes); }
  void permit(void* block, size_t bytes) noexcept override { __asan_unpoison_memory_region(block, bytes); }
#endif
};

}  // namespace

bool debug_memory() {
  static const bool on = [] {
    if (const char* setting = std::getenv("TAILSEG_DEBUG_MEMORY")) return std::strcmp(setting, "0") != 0;
#ifdef NDEBUG
    return false;
#else
    return true;
#endif
  }();
  return on;
}

Allocator::~Allocator() = default;

MemoryPool& Allocator::pool_of(size_t bytes, bool reserved) {
  if (reserved) return bytes <= kSmallBlock ? reserved_small_ : reserved_large_;
  return bytes <= kSmallBlock ? small_ : large_;
}

size_t Allocator::reserved_free() const {
  return reservers_ > 0 ? reserved_small_.free_bytes() + reserved_large_.free_bytes() : 0;
}

bool Allocator::is_reserved(const char* block) const {
  return reserved_small_.contains(block) || reserved_large_.contains(block);
}

// The caller holds the mutex.
char* Allocator::new_segment(MemoryPool& pool, size_t bytes) {
  const size_t usual = bytes <= kSmallBlock ? kSmallSegment : kLargeSegment;
  size_t size = std::max(usual, (bytes + kSegmentStep - 1) / kSegmentStep * kSegmentStep);
  const auto held = static_cast<size_t>(figures_.live_bytes + figures_.cached_bytes);
  const size_t needed =
      std::max(static_cast<size_t>(figures_.peak_bytes), static_cast<size_t>(figures_.live_bytes) + bytes);
  if (!reserving_ && held - reserved_free() + size > needed + needed / 2) drop_unused();
  void* segment = system_allocate(size);
  if (!segment) {
    drop_unused();
    segment = system_allocate(size);
  }
  if (!segment) {
    size = bytes;
    segment = system_allocate(size);
  }
  if (!segment) return nullptr;
  ++figures_.system_allocations;
  figures_.cached_bytes += static_cast<int64_t>(size);
  forbid(segment, size);
  pool.add_segment(static_cast<char*>(segment), size);
  return pool.take(bytes);
}

void* Allocator::allocate(size_t bytes) {
  TS_CHECK(bytes <= size_t{1} << 62, "out of memory on ", device_name(), ": ", bytes, " bytes asked for");
  const size_t size = block_bytes(bytes);
  char* block = nullptr;
  bool reserved = false, alone = false;
  {
    std::lock_guard lock(mutex_);
    ++figures_.requests;
    reserved = reserving_;
    alone = exact_memory() && !reserved;
    if (alone) {
      block = static_cast<char*>(system_allocate(std::max<size_t>(bytes, 1)));
      if (block) figures_.cached_bytes += static_cast<int64_t>(size);
    } else {
      MemoryPool& pool = pool_of(size, reserved);
      block = pool.take(size);
      if (!block) block = new_segment(pool, size);
    }
    TS_CHECK(block, "out of memory on ", device_name(), ": ", mebibytes(static_cast<int64_t>(size)), " asked for, ",
             mebibytes(figures_.live_bytes), " in use (peak ", mebibytes(figures_.peak_bytes),
             "). A smaller image size or solver.ims_per_batch needs less",
             reservers_ > 0 ? ", and train.capture=false or test.capture=false" : "");
    figures_.cached_bytes -= static_cast<int64_t>(size);
    figures_.live_bytes += static_cast<int64_t>(size);
    if (figures_.live_bytes > figures_.peak_bytes) figures_.peak_bytes = figures_.live_bytes;
  }
  if (!alone) permit(block, size);
  if (reserved) return block;
  if (debug_memory()) set_bytes(block, 0xff, bytes);  // all ones is a NaN in every floating type
  if (alone) return block;
  if (debug_memory()) set_bytes(block + bytes, kGuard, size - bytes);
  forbid(block + bytes, size - bytes);
  return block;
}

void Allocator::release(void* memory, size_t bytes) noexcept {
  if (!memory) return;
  char* block = static_cast<char*>(memory);
  const size_t size = block_bytes(bytes);
  bool reserved = false, readable = true;  // while work is captured, a read would end the capture
  {
    std::lock_guard lock(mutex_);
    reserved = is_reserved(block);
    readable = !reserved && !reserving_;
  }
  if (exact_memory() && !reserved) {
    system_release(block);
    std::lock_guard lock(mutex_);
    figures_.live_bytes -= static_cast<int64_t>(size);
    return;
  }
  if (!reserved) permit(block, size);
  if (readable && debug_memory()) {
    unsigned char guard[kGuardBytes + kStep];
    std::memset(guard, kGuard, sizeof(guard));  // a card that cannot be read any more proves nothing
    read_bytes(guard, block + bytes, size - bytes);
    for (unsigned char byte : guard) {
      if (byte != kGuard) {
        std::fprintf(stderr, "tailseg: a kernel wrote behind a block of %zu bytes\n", bytes);
        std::abort();  // memory is corrupt and this is a destructor: nothing can be saved by going on
      }
    }
  }
  if (!reserved) forbid(block, size);
  std::lock_guard lock(mutex_);
  pool_of(size, reserved).give_back(block, size);
  figures_.cached_bytes += static_cast<int64_t>(size);
  figures_.live_bytes -= static_cast<int64_t>(size);
}

MemoryFigures Allocator::figures() const {
  std::lock_guard lock(mutex_);
  MemoryFigures now = figures_;
  now.reserved_bytes = static_cast<int64_t>(reserved_free());
  return now;
}

void Allocator::reset_peak() {
  std::lock_guard lock(mutex_);
  figures_.peak_bytes = figures_.live_bytes;
}

void Allocator::drop_unused() noexcept {
  for (MemoryPool* pool : {&small_, &large_, &reserved_small_, &reserved_large_}) {
    if (reservers_ > 0 && (pool == &reserved_small_ || pool == &reserved_large_)) continue;
    for (const auto& [segment, bytes] : pool->remove_unused_segments()) {
      permit(segment, bytes);
      system_release(segment);
      figures_.cached_bytes -= static_cast<int64_t>(bytes);
    }
  }
}

void Allocator::drop_cache() noexcept {
  std::lock_guard lock(mutex_);
  drop_unused();
}

void Allocator::begin_reserving() {
  std::lock_guard lock(mutex_);
  TS_CHECK(reservers_ > 0 && !reserving_, "begin_reserving: no reserver, or begun before");
  reserving_ = true;
}

void Allocator::end_reserving() {
  std::lock_guard lock(mutex_);
  reserving_ = false;
}

void Allocator::add_reserver() {
  std::lock_guard lock(mutex_);
  ++reservers_;
}

// What is still in use of the last one's memory stays, and goes back with the cache when it is dropped next.
void Allocator::remove_reserver() noexcept {
  std::lock_guard lock(mutex_);
  if (--reservers_ == 0) drop_unused();
}

std::shared_ptr<Allocator> make_cpu_allocator() { return std::make_shared<CpuAllocator>(); }

}  // namespace tailseg
