#include "tests/card/runtime_memory.h"

#include <sys/mman.h>

#include <array>
#include <cstring>
#include <iterator>
#include <new>
#include <sstream>

namespace tailseg::card {
namespace {

constexpr uint64_t kWindowBytes = uint64_t{1} << 40, kPinnedWindowBytes = uint64_t{1} << 38;
constexpr uint64_t kAlignment = 512, kGap = 4096, kPage = 4096;
constexpr size_t kMostFreed = 100000;  // blocks that are remembered for messages

uint64_t round_up(uint64_t value, uint64_t step) { return (value + step - 1) / step * step; }

void* reserve(uint64_t bytes, int protection, uint64_t hint) {
  void* at = mmap(reinterpret_cast<void*>(hint), bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) throw std::bad_alloc();
  return at;
}

}  // namespace

DeviceMemory::DeviceMemory(size_t limit) : limit_(limit) {
  window_ = reinterpret_cast<uint64_t>(reserve(kWindowBytes, PROT_NONE, 0x500000000000));
  bytes_ = static_cast<uint8_t*>(reserve(kWindowBytes, PROT_READ | PROT_WRITE, 0));
  madvise(bytes_, kWindowBytes, MADV_DONTDUMP);
  next_ = window_ + kGap;
}

// Addresses rise, so that a block which was freed is not somebody else's before the window has been walked through.
uint64_t DeviceMemory::room_for(size_t bytes) {
  const uint64_t size = round_up(bytes, kPage) + kGap;
  for (int turn = 0; turn < 2; ++turn) {
    while (next_ + size <= window_ + kWindowBytes) {
      auto above = live_.lower_bound(next_);
      if (above != live_.begin()) {
        const auto below = std::prev(above);
        const uint64_t end = round_up(below->first + below->second.bytes, kPage) + kGap;
        if (end > next_) next_ = end;
      }
      if (above == live_.end() || above->first >= next_ + size) return next_;
      next_ = round_up(above->first + above->second.bytes, kPage) + kGap;
    }
    next_ = window_ + kGap;
  }
  return 0;
}

uint64_t DeviceMemory::take(size_t bytes) {
  if (bytes > limit_ || used_ + bytes > limit_) return 0;
  uint64_t address = room_for(bytes);
  if (address == 0) return 0;
  next_ = address + round_up(bytes, kPage) + kGap;
  address += kAlignment;  // no page's beginning: only the alignment that the real allocator gives
  for (auto old = freed_.lower_bound(address - kGap); old != freed_.end() && old->first < next_;)
    old = freed_.erase(old);
  live_[address] = {bytes, ++taken_};
  used_ += bytes;
  ++generation_;
  std::memset(bytes_ + (address - window_), 0xff, bytes);
  return address;
}

bool DeviceMemory::give_back(uint64_t address) {
  const auto found = live_.find(address);
  if (found == live_.end()) return false;
  used_ -= found->second.bytes;
  const uint64_t begin = address / kPage * kPage;
  madvise(bytes_ + (begin - window_), round_up(address + found->second.bytes - begin, kPage), MADV_DONTNEED);
  if (freed_.size() < kMostFreed) freed_[address] = found->second;
  live_.erase(found);
  ++generation_;
  return true;
}

uint8_t* DeviceMemory::find(uint64_t address, size_t size) {
  thread_local std::array<Found, 256> pages;  // kernels go back and forth between a few blocks
  Found& last = pages[address / kPage % pages.size()];
  if (last.generation != generation_ || address < last.begin || address >= last.end) {
    auto above = live_.upper_bound(address);
    if (above == live_.begin()) return nullptr;
    --above;
    last = {generation_, above->first, above->first + above->second.bytes};
  }
  if (address < last.begin || address > last.end || size > last.end - address) return nullptr;
  return bytes_ + (address - window_);
}

std::string DeviceMemory::describe(uint64_t address) const {
  std::ostringstream out;
  if (!in_window(reinterpret_cast<const void*>(address))) {
    out << (address < kPage ? "almost null" : "host memory, no device pointer");
    return out.str();
  }
  const auto tell = [&](const std::map<uint64_t, Block>& blocks, const char* state) {
    auto above = blocks.upper_bound(address);
    if (above == blocks.begin()) return false;
    --above;
    const uint64_t offset = address - above->first;
    if (offset > above->second.bytes + kPage + kGap) return false;
    if (offset < above->second.bytes)
      out << offset << " bytes into";
    else
      out << offset - above->second.bytes << " bytes behind";
    out << " block " << above->second.number << " of " << above->second.bytes << " bytes at 0x" << std::hex
        << above->first << std::dec << state;
    return true;
  };
  const auto inside_freed = [&] {
    auto above = freed_.upper_bound(address);
    return above != freed_.begin() && address - std::prev(above)->first < std::prev(above)->second.bytes;
  };
  if (inside_freed() ? tell(freed_, ", freed") : tell(live_, "") || tell(freed_, ", freed")) return out.str();
  return "in no block of device memory";
}

uint64_t DeviceMemory::allocate(size_t bytes) {
  const uint64_t address = take(bytes ? bytes : 1);
  if (address == 0) throw std::bad_alloc();
  std::memset(bytes_ + (address - window_), 0, bytes);  // variables begin as zero unless the module says otherwise
  return address;
}

bool DeviceMemory::in_window(const void* address) const {
  const auto at = reinterpret_cast<uint64_t>(address);
  return at >= window_ && at < window_ + kWindowBytes;
}

PinnedMemory::PinnedMemory() {
  window_ = next_ = static_cast<uint8_t*>(reserve(kPinnedWindowBytes, PROT_NONE, 0x480000000000));
}

void* PinnedMemory::take(size_t bytes) {
  const uint64_t size = round_up(bytes, kPage);
  if (next_ + size + kPage > window_ + kPinnedWindowBytes) return nullptr;
  if (mprotect(next_, size, PROT_READ | PROT_WRITE) != 0) return nullptr;
  // As near to the untouchable page behind it as 64 bytes of alignment allow.
  uint8_t* block = next_ + (size - bytes) / 64 * 64;
  std::memset(next_, 0xff, size);
  live_[block] = bytes;
  next_ += size + kPage;
  return block;
}

bool PinnedMemory::give_back(void* block) {
  const auto found = live_.find(static_cast<uint8_t*>(block));
  if (found == live_.end()) return false;
  const auto begin = reinterpret_cast<uint64_t>(block) / kPage * kPage;
  const uint64_t size = round_up(reinterpret_cast<uint64_t>(block) + found->second - begin, kPage);
  madvise(reinterpret_cast<void*>(begin), size, MADV_DONTNEED);
  mprotect(reinterpret_cast<void*>(begin), size, PROT_NONE);
  live_.erase(found);
  return true;
}

PinnedMemory::Place PinnedMemory::place(const void* address, size_t bytes) const {
  const auto* at = static_cast<const uint8_t*>(address);
  if (at + bytes <= window_ || at >= window_ + kPinnedWindowBytes) return Place::elsewhere;
  auto above = live_.upper_bound(at);
  if (above == live_.begin()) return Place::outside;
  --above;
  return at + bytes <= above->first + above->second ? Place::inside : Place::outside;
}

std::string PinnedMemory::describe(const void* address) const {
  std::ostringstream out;
  switch (place(address, 1)) {
    case Place::elsewhere:
      return "pageable host memory";
    case Place::outside:
      return "pinned host memory that was freed, or the gap behind a block of it";
    case Place::inside:
      break;
  }
  const auto below = std::prev(live_.upper_bound(static_cast<const uint8_t*>(address)));
  out << static_cast<const uint8_t*>(address) - below->first << " bytes into pinned host memory of " << below->second;
  return out.str();
}

}  // namespace tailseg::card
