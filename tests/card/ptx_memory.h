// The memories that a kernel reaches. Global memory is asked for, place by place, and what was found is remembered per
// instruction; shared memory knows who touched what since when; local memory belongs to a thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/card/ptx.h"

namespace tailseg::card {

class GlobalMemory {
 public:
  void begin(Memory& memory, size_t sites);
  // The range that this instruction found last. It stays valid for a launch: nothing is freed while a kernel runs.
  const Memory::Range& last(uint32_t site) const { return ranges_[site]; }
  uint8_t* find(uint32_t site, uint64_t address, size_t bytes);  // null when it is not a kernel's to touch
  std::string describe(uint64_t address) const { return memory_->describe(address); }

 private:
  Memory* memory_ = nullptr;
  std::vector<Memory::Range> ranges_;
};

enum class Access : uint8_t { read, write, atomic };

// Finds races: two threads that touch the same bytes, one of them writing, with nothing between that orders them.
//
// Threads of different warps are ordered by the block's barriers only, lanes of one warp also by everything that makes
// them meet (bar.warp.sync, shfl.sync, vote.sync). A stamp counts these events over the whole block; an earlier access
// comes before this one when its stamp is smaller than that of the last event which both threads took part in. An event
// of some lanes counts for their whole warp: what is reported is a race, not every race is reported.
class SharedMemory {
 public:
  void begin_launch(size_t bytes, size_t grain, uint32_t warps);
  void begin_block();
  void pass_barrier() { block_stamp_ = ++stamp_; }
  void pass_warp(uint32_t warp) { warp_stamps_[warp] = ++stamp_; }

  // Null when the bytes are not all the block's.
  uint8_t* find(uint64_t address, size_t bytes);
  // The thread that the access races with, or -1. `changes` is false for a write of what is there already.
  int touch(uint64_t address, size_t bytes, uint32_t thread, Access access, bool changes);
  size_t bytes() const { return data_.size(); }

 private:
  static constexpr uint16_t kNobody = 0xffff, kSeveralWarps = 0xfffe, kSeveral = 0x8000, kAtomic = 0x4000,
                            kThread = 0x3fff;
  struct Cell {
    uint32_t write_stamp = 0, read_stamp = 0;
    uint16_t writer = kNobody, reader = kNobody;
  };
  bool is_ordered(uint32_t stamp, uint32_t warp, uint32_t other_warp) const {
    return stamp < block_stamp_ || (warp == other_warp && stamp < warp_stamps_[warp]);
  }
  int race_with_writer(const Cell& cell, uint32_t thread, Access access, bool changes) const;
  int race_with_reader(const Cell& cell, uint32_t thread) const;
  void note_read(Cell& cell, uint32_t thread) const;

  std::vector<uint8_t> data_;
  std::vector<Cell> cells_;
  std::vector<uint32_t> warp_stamps_;
  uint32_t stamp_ = 0, block_stamp_ = 0;
  size_t grain_ = 4;
};

// 32 threads' own memories, one behind the other.
class LocalMemory {
 public:
  void begin(size_t bytes_per_thread);
  void poison();
  uint8_t* find(int lane, uint64_t address, size_t bytes);

 private:
  std::vector<uint8_t> data_;
  size_t bytes_ = 0;
};

}  // namespace tailseg::card
