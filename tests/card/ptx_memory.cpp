// Bounds of the memories, and races on shared memory.
#include "tests/card/ptx_memory.h"

#include <algorithm>
#include <cstring>

#include "tests/card/ptx_code.h"

namespace tailseg::card {

constexpr uint8_t kPoison = 0xff;  // as an address out of every range, as a float NaN, as a count too large

void GlobalMemory::begin(Memory& memory, size_t sites) {
  memory_ = &memory;
  ranges_.assign(sites, {});
}

uint8_t* GlobalMemory::find(uint32_t site, uint64_t address, size_t bytes) {
  Memory::Range& range = ranges_[site];
  if (address < range.begin || address >= range.end) {
    range = memory_->range(address);
    if (range.host == nullptr) range = {};
  }
  if (address >= range.begin && address < range.end && bytes <= range.end - address) {
    return range.host + (address - range.begin);
  }
  return memory_->find(address, bytes);
}

void SharedMemory::begin_launch(size_t bytes, size_t grain, uint32_t warps) {
  data_.assign(bytes, kPoison);
  grain_ = grain;
  cells_.assign((bytes + grain - 1) / grain, {});
  warp_stamps_.assign(warps, 0);
  stamp_ = 0;
  begin_block();
}

void SharedMemory::begin_block() {
  std::fill(data_.begin(), data_.end(), kPoison);
  pass_barrier();  // everything that the last block did is ordered before this one
}

uint8_t* SharedMemory::find(uint64_t address, size_t bytes) {
  const uint64_t at = address - kSharedBase;
  if (at >= data_.size() || bytes > data_.size() - at) return nullptr;
  return data_.data() + at;
}

int SharedMemory::race_with_writer(const Cell& cell, uint32_t thread, Access access, bool changes) const {
  if (cell.writer == kNobody) return -1;
  const uint32_t other = cell.writer & kThread;
  if (other == thread || (access == Access::atomic && (cell.writer & kAtomic) != 0)) return -1;
  if (access == Access::write && !changes) return -1;
  return is_ordered(cell.write_stamp, thread / kLanes, other / kLanes) ? -1 : static_cast<int>(other);
}

int SharedMemory::race_with_reader(const Cell& cell, uint32_t thread) const {
  if (cell.reader == kNobody || cell.read_stamp < block_stamp_) return -1;
  if (cell.reader == kSeveralWarps) return thread / kLanes == 0 ? kLanes : 0;
  const uint32_t other = cell.reader & kThread;
  if ((cell.reader & kSeveral) == 0 && other == thread) return -1;
  if (is_ordered(cell.read_stamp, thread / kLanes, other / kLanes)) return -1;
  // Several lanes of one warp read it: the noted one may be this thread, then another of them is to blame.
  return static_cast<int>(other == thread ? other ^ 1 : other);
}

void SharedMemory::note_read(Cell& cell, uint32_t thread) const {
  const uint32_t warp = thread / kLanes;
  const uint32_t other = cell.reader & kThread;
  if (cell.reader == kNobody || cell.read_stamp < block_stamp_) {
    cell.reader = static_cast<uint16_t>(thread);
  } else if (cell.reader != kSeveralWarps) {
    if (other / kLanes != warp) {
      cell.reader = kSeveralWarps;
    } else if (cell.read_stamp < warp_stamps_[warp]) {
      cell.reader = static_cast<uint16_t>(thread);
    } else if (other != thread) {
      cell.reader = static_cast<uint16_t>(cell.reader | kSeveral);
    }
  }
  cell.read_stamp = stamp_;
}

int SharedMemory::touch(uint64_t address, size_t bytes, uint32_t thread, Access access, bool changes) {
  const size_t first = (address - kSharedBase) / grain_, last = (address - kSharedBase + bytes - 1) / grain_;
  for (size_t i = first; i <= last; ++i) {
    Cell& cell = cells_[i];
    int other = race_with_writer(cell, thread, access, changes);
    if (access == Access::read) {
      if (other >= 0) return other;
      note_read(cell, thread);
      continue;
    }
    if (other < 0) other = race_with_reader(cell, thread);
    if (other >= 0) return other;
    cell.writer = static_cast<uint16_t>(thread | (access == Access::atomic ? kAtomic : 0));
    cell.write_stamp = stamp_;
    cell.reader = kNobody;
  }
  return -1;
}

void LocalMemory::begin(size_t bytes_per_thread) {
  bytes_ = bytes_per_thread;
  data_.assign(bytes_ * kLanes, kPoison);
}

void LocalMemory::poison() { std::fill(data_.begin(), data_.end(), kPoison); }

uint8_t* LocalMemory::find(int lane, uint64_t address, size_t bytes) {
  const uint64_t at = address - kLocalBase;
  if (at >= bytes_ || bytes > bytes_ - at) return nullptr;
  return data_.data() + static_cast<size_t>(lane) * bytes_ + at;
}

}  // namespace tailseg::card
