// The emulated card's memory. Programs are given addresses in a window that nobody may touch, so host code that follows
// a device pointer dies at once and is told where; the emulator itself reaches the same bytes elsewhere. Pinned host
// memory comes from a window of its own, so that what was freed stays untouchable too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "tests/card/ptx.h"

namespace tailseg::card {

class DeviceMemory final : public Memory {
 public:
  explicit DeviceMemory(size_t limit);

  // A block filled with 0xFF; 0 when the card is full.
  uint64_t take(size_t bytes);
  bool give_back(uint64_t address);  // false: no block begins there

  uint8_t* find(uint64_t address, size_t size) override;
  std::string describe(uint64_t address) const override;
  uint64_t allocate(size_t bytes) override;

  bool in_window(const void* address) const;
  size_t limit() const { return limit_; }
  size_t used() const { return used_; }

 private:
  struct Block {
    size_t bytes;  // as asked for
    uint64_t number;
  };
  struct Found {  // the block that a thread found last at addresses like this one
    uint64_t generation = 0, begin = 0, end = 0;
  };
  uint64_t room_for(size_t bytes);

  uint64_t window_ = 0, next_ = 0, generation_ = 1, taken_ = 0;
  uint8_t* bytes_ = nullptr;  // of the window's first address
  size_t limit_, used_ = 0;
  std::map<uint64_t, Block> live_, freed_;
};

// Blocks of host memory that the card can reach by itself.
class PinnedMemory {
 public:
  PinnedMemory();
  void* take(size_t bytes);
  bool give_back(void* block);
  enum class Place { elsewhere, inside, outside };  // no pinned memory; inside one live block; pinned once, or too long
  Place place(const void* address, size_t bytes) const;
  std::string describe(const void* address) const;

 private:
  uint8_t* window_ = nullptr;
  uint8_t* next_ = nullptr;
  std::map<const uint8_t*, size_t> live_;
};

}  // namespace tailseg::card
