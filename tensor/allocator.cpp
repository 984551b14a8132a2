#include "tensor/allocator.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

#include "tensor/error.h"

namespace tailseg {
namespace {

constexpr size_t kAlignment = 64;
constexpr size_t kGuardBytes = 64;
constexpr unsigned char kGuard = 0xA5;

std::string mebibytes(int64_t bytes) { return text(static_cast<double>(bytes >> 10) / 1024.0, " MiB"); }

class CpuAllocator final : public Allocator {
 public:
  ~CpuAllocator() override { drop_cache(); }

 protected:
  void* system_allocate(size_t bytes) override { return std::aligned_alloc(kAlignment, bytes); }
  void system_release(void* block) noexcept override { std::free(block); }
  const char* device_name() const override { return "cpu"; }
  void set_bytes(void* to, int value, size_t bytes) override { std::memset(to, value, bytes); }
  void read_bytes(void* to, const void* from, size_t bytes) noexcept override { std::memcpy(to, from, bytes); }
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

// Multiples of 512 bytes up to 1 MiB, above that steps of an eighth of the power of two below: at most 12.5 % waste,
// and few enough classes that blocks are found again although the sizes of ragged sets vary from step to step.
size_t Allocator::size_class(size_t bytes) {
  if (debug_memory()) bytes += kGuardBytes;
  if (bytes == 0) bytes = 1;
  size_t step = 512;
  if (bytes > (size_t{1} << 20)) {
    size_t power = size_t{1} << 20;
    while (power <= bytes / 2) power *= 2;
    step = power / 8;
  }
  return (bytes + step - 1) / step * step;
}

void* Allocator::allocate(size_t bytes) {
  TS_CHECK(bytes <= size_t{1} << 62, "out of memory on ", device_name(), ": ", bytes, " bytes asked for");
  const size_t size = size_class(bytes);
  void* block = nullptr;
  {
    std::lock_guard lock(mutex_);
    ++figures_.requests;
    auto cached = free_.find(size);
    if (cached != free_.end() && !cached->second.empty()) {
      block = cached->second.back();
      cached->second.pop_back();
      figures_.cached_bytes -= static_cast<int64_t>(size);
    }
  }
  if (!block) {
    const MemoryFigures now = figures();
    if (now.cached_bytes > now.peak_bytes) drop_cache();  // sizes that no longer come: give them back
    block = system_allocate(size);
    if (!block) {
      drop_cache();
      block = system_allocate(size);
    }
    std::lock_guard lock(mutex_);
    TS_CHECK(block, "out of memory on ", device_name(), ": ", mebibytes(static_cast<int64_t>(size)), " asked for, ",
             mebibytes(figures_.live_bytes), " in use (peak ", mebibytes(figures_.peak_bytes),
             "). A smaller image size or solver.ims_per_batch needs less");
    ++figures_.system_allocations;
  }
  if (debug_memory()) {
    set_bytes(block, 0xff, size - kGuardBytes);  // all ones is a NaN in every floating type
    set_bytes(static_cast<unsigned char*>(block) + (size - kGuardBytes), kGuard, kGuardBytes);
  }
  std::lock_guard lock(mutex_);
  figures_.live_bytes += static_cast<int64_t>(size);
  if (figures_.live_bytes > figures_.peak_bytes) figures_.peak_bytes = figures_.live_bytes;
  return block;
}

void Allocator::release(void* block, size_t bytes) noexcept {
  if (!block) return;
  const size_t size = size_class(bytes);
  if (debug_memory()) {
    unsigned char guard[kGuardBytes];
    std::memset(guard, kGuard, kGuardBytes);  // a card that cannot be read any more proves nothing
    read_bytes(guard, static_cast<const unsigned char*>(block) + (size - kGuardBytes), kGuardBytes);
    for (unsigned char byte : guard) {
      if (byte != kGuard) {
        std::fprintf(stderr, "tailseg: a kernel wrote behind a block of %zu bytes\n", bytes);
        std::abort();  // memory is corrupt and this is a destructor: nothing can be saved by going on
      }
    }
  }
  std::lock_guard lock(mutex_);
  free_[size].push_back(block);
  figures_.cached_bytes += static_cast<int64_t>(size);
  figures_.live_bytes -= static_cast<int64_t>(size);
}

MemoryFigures Allocator::figures() const {
  std::lock_guard lock(mutex_);
  return figures_;
}

void Allocator::reset_peak() {
  std::lock_guard lock(mutex_);
  figures_.peak_bytes = figures_.live_bytes;
}

void Allocator::drop_cache() noexcept {
  std::lock_guard lock(mutex_);
  for (auto& [size, blocks] : free_) {
    for (void* block : blocks) system_release(block);
  }
  free_.clear();
  figures_.cached_bytes = 0;
}

std::shared_ptr<Allocator> make_cpu_allocator() { return std::make_shared<CpuAllocator>(); }

}  // namespace tailseg
