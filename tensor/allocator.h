// Memory for tensors: a cache in front of the system's allocator, with figures that can be read at any time.
//
// A freed block is kept and handed out again to the next request of its size class, so that a training step allocates
// nothing from the system after the first. A cache that outgrows the peak of live memory (photos of ever new sizes) is
// given back. On a GPU everything runs on the context's one stream, so a block may be
// reused at once: the stream orders the old reader before the new writer.
//
// With TAILSEG_DEBUG_MEMORY=1 (the default in builds without NDEBUG) fresh memory is filled with NaN and a guard band
// behind every block is checked when it is freed. On a GPU that check waits for the device.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

namespace tailseg {

struct MemoryFigures {
  int64_t live_bytes = 0;          // handed out now
  int64_t peak_bytes = 0;          // the largest live_bytes since the last reset_peak
  int64_t cached_bytes = 0;        // free, kept for reuse
  int64_t system_allocations = 0;  // calls that went to the system
  int64_t requests = 0;            // calls to allocate
};

class Allocator {
 public:
  virtual ~Allocator();
  Allocator() = default;
  Allocator(const Allocator&) = delete;
  Allocator& operator=(const Allocator&) = delete;

  // Returns a 64-byte-aligned block of at least `bytes` (0 gives a valid unique block).
  // Throws Error with the figures when the system has no more, after giving the cache back.
  void* allocate(size_t bytes);
  void release(void* block, size_t bytes) noexcept;

  MemoryFigures figures() const;
  void reset_peak();
  void drop_cache() noexcept;  // gives every cached block back to the system

  static size_t size_class(size_t bytes);  // what a request is rounded up to

 protected:
  virtual void* system_allocate(size_t bytes) = 0;  // nullptr when there is none
  virtual void system_release(void* block) noexcept = 0;
  virtual const char* device_name() const = 0;
  // For the debug checks: writes and reads a block wherever it lives. read_bytes waits for the device.
  virtual void set_bytes(void* to, int value, size_t bytes) = 0;
  virtual void read_bytes(void* to_host, const void* from, size_t bytes) noexcept = 0;

 private:
  mutable std::mutex mutex_;
  std::map<size_t, std::vector<void*>> free_;  // by size class
  MemoryFigures figures_;
};

std::shared_ptr<Allocator> make_cpu_allocator();
// Memory of card `index`, used in the order of `stream`. Only in CUDA builds.
std::shared_ptr<Allocator> make_cuda_allocator(int index, void* stream);
bool debug_memory();

}  // namespace tailseg
