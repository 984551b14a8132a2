// Memory for tensors: a cache in front of the system's allocator, with figures that can be read at any time.
//
// Memory is taken from the system in segments, and a freed block goes back to its segment (memory_pool.h): after a few
// training steps the system is asked for nothing. When a request finds no place although half as much again as the peak
// of live memory is held, unused segments are given back first (photos of ever new sizes). On a GPU everything runs on
// the context's one stream, so a block may be reused at once: the old reader comes before the new writer.
//
// With TAILSEG_DEBUG_MEMORY=1 (the default in builds without NDEBUG) fresh memory is filled with NaN and a guard band
// behind every block is checked when it is freed. On a GPU that check waits for the device. Under AddressSanitizer free
// memory, and what lies behind the bytes that were asked for, is out of bounds. With TAILSEG_DEBUG_MEMORY=exact every
// block is the system's own and no longer: compute-sanitizer sees each tensor's bounds. Reserved memory has none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>

#include "tensor/memory_pool.h"

namespace tailseg {

struct MemoryFigures {
  int64_t live_bytes = 0;          // handed out now
  int64_t peak_bytes = 0;          // the largest live_bytes since the last reset_peak
  int64_t cached_bytes = 0;        // held and free
  int64_t reserved_bytes = 0;      // of these, what replays write to (begin_reserving)
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
  // Throws Error with the figures when the system has no more, after giving unused segments back.
  void* allocate(size_t bytes);
  void release(void* block, size_t bytes) noexcept;

  MemoryFigures figures() const;
  void reset_peak();
  void drop_cache() noexcept;  // gives every unused segment back to the system

  // Between these two, blocks come from memory apart, which no other request is ever given: work that is captured there
  // (capture.h) writes to it again whenever it is replayed. Such a block may be released at any time. The memory stays
  // as long as there is a reserver.
  void begin_reserving();
  void end_reserving();
  void add_reserver();
  void remove_reserver() noexcept;

 protected:
  virtual void* system_allocate(size_t bytes) = 0;  // nullptr when there is none
  virtual void system_release(void* block) noexcept = 0;
  virtual const char* device_name() const = 0;
  // For the debug checks: writes and reads a block wherever it lives. read_bytes waits for the device.
  virtual void set_bytes(void* to, int value, size_t bytes) = 0;
  virtual void read_bytes(void* to_host, const void* from, size_t bytes) noexcept = 0;
  // For AddressSanitizer: nobody may touch these bytes, or they are memory again.
  virtual void forbid(void* /*block*/, size_t /*bytes*/) noexcept {}
  virtual void permit(void* /*block*/, size_t /*bytes*/) noexcept {}

 private:
  char* new_segment(MemoryPool& pool, size_t bytes);
  void drop_unused() noexcept;
  MemoryPool& pool_of(size_t bytes, bool reserved);
  bool is_reserved(const char* block) const;
  size_t reserved_free() const;

  mutable std::mutex mutex_;
  MemoryPool small_, large_;  // apart, so that one long-lived small tensor does not cut a large block in two
  MemoryPool reserved_small_, reserved_large_;
  bool reserving_ = false;
  int64_t reservers_ = 0;
  MemoryFigures figures_;
};

std::shared_ptr<Allocator> make_cpu_allocator();
// Memory of card `index`, used in the order of `stream`. Only in CUDA builds.
std::shared_ptr<Allocator> make_cuda_allocator(int index, void* stream);
bool debug_memory();

}  // namespace tailseg
