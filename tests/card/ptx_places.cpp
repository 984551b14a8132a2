// Checks every address against its space and finds its bytes.
#include "tests/card/ptx_places.h"

#include <algorithm>
#include <cstdio>

#include "tests/card/ptx_access.h"

namespace tailseg::card {
namespace {

std::string hex(uint64_t value) {
  char text[24];
  std::snprintf(text, sizeof(text), "0x%llx", static_cast<unsigned long long>(value));
  return text;
}

const char* name_of(Space space) {
  switch (space) {
    case Space::shared:
      return "shared";
    case Space::local:
      return "local";
    case Space::parameter:
      return "parameter";
    default:
      return "global";
  }
}

void read_addresses(const Instruction& in, WarpState& warp, uint64_t (&address)[kLanes]) {
  const auto offset = static_cast<uint64_t>(in.offset);
  if (in.address_bytes == 8) {
    const uint64_t* base = warp.reg<uint64_t>(in.at[kAddressAt]);
    for (int i = 0; i < kLanes; ++i) address[i] = base[i] + offset;
  } else {
    const uint32_t* base = warp.reg<uint32_t>(in.at[kAddressAt]);
    for (int i = 0; i < kLanes; ++i) address[i] = static_cast<uint32_t>(base[i] + offset);
  }
}

[[noreturn]] void out_of_bounds(const Instruction& in, const WarpState& warp, int lane, Space space, uint64_t address,
                                size_t bytes) {
  std::string what = std::to_string(bytes) + " bytes at " + name_of(space) + " address " + hex(address) + ": ";
  if (space == Space::global) {
    what += warp.launch->global.describe(address);
  } else if (space == Space::shared) {
    what += "the block's shared memory is [" + hex(kSharedBase) + ", " +
            hex(kSharedBase + warp.launch->shared.bytes()) + ")";
  } else if (space == Space::local) {
    what += "the thread's local memory is [" + hex(kLocalBase) + ", " +
            hex(kLocalBase + warp.launch->kernel->facts.local) + ")";
  } else {
    what += "the kernel's parameters are [" + hex(kParameterBase) + ", " +
            hex(kParameterBase + warp.launch->parameters.size()) + ")";
  }
  warp.fault(in, lane, what);
}

uint8_t* find_in(const Instruction& in, WarpState& warp, int lane, Space space, uint64_t address, size_t bytes) {
  uint8_t* found = nullptr;
  if (space == Space::global) {
    found = warp.launch->global.find(in.site, address, bytes);
  } else if (space == Space::shared) {
    found = warp.launch->shared.find(address, bytes);
  } else if (space == Space::local || address >= kLocalBase) {
    found = warp.local.find(lane, address, bytes);  // parameters of called functions are their caller's locals
  } else {
    std::vector<uint8_t>& parameters = warp.launch->parameters;
    const uint64_t at = address - kParameterBase;
    if (at < parameters.size() && bytes <= parameters.size() - at) found = parameters.data() + at;
  }
  if (found == nullptr) out_of_bounds(in, warp, lane, space, address, bytes);
  return found;
}

Space space_of(uint64_t& address) {
  const uint64_t window = address & kWindowMask;
  const Space space = window == kSharedWindow      ? Space::shared
                      : window == kLocalWindow     ? Space::local
                      : window == kParameterWindow ? Space::parameter
                                                   : Space::global;
  if (space != Space::global) address &= ~kWindowMask;
  return space;
}

// A request is answered in sectors of 32 bytes, each once however many lanes ask for it. No lane's bytes lie in two.
void count_sectors(LaunchCounts& counts, const uint64_t (&address)[kLanes], uint32_t lanes, size_t bytes) {
  uint64_t sectors[kLanes];
  int asked = 0;
  for_lanes(lanes, [&](int i) { sectors[asked++] = address[i] / 32; });
  std::sort(sectors, sectors + asked);
  ++counts.requests;
  counts.sectors += static_cast<uint64_t>(std::unique(sectors, sectors + asked) - sectors);
  counts.bytes += static_cast<uint64_t>(asked) * bytes;
}

// The common case: all lanes within the range that this instruction found last.
bool find_in_last_range(const Instruction& in, WarpState& warp, uint32_t lanes, size_t bytes, Places& places) {
  const Memory::Range& range = warp.launch->global.last(in.site);
  if (range.end - range.begin < bytes) return false;
  const uint64_t room = range.end - range.begin - bytes;
  uint64_t outside = 0, gaps = 0;
  for (int i = 0; i < kLanes; ++i) {
    outside |= ((lanes >> i & 1) != 0) & (places.address[i] - range.begin > room) ? 1 : 0;
    gaps |= places.address[i] ^ (places.address[0] + static_cast<uint64_t>(i) * bytes);
  }
  if (outside != 0) return false;
  for (int i = 0; i < kLanes; ++i) places.at[i] = range.host + (places.address[i] - range.begin);
  if (gaps == 0 && lanes == kAllLanes) places.row = places.at[0];
  return true;
}

}  // namespace

void find_places(const Instruction& in, WarpState& warp, uint32_t lanes, size_t bytes, Places& places) {
  read_addresses(in, warp, places.address);
  uint64_t low_bits = 0;
  for (int i = 0; i < kLanes; ++i) low_bits |= (lanes >> i & 1) != 0 ? places.address[i] : 0;
  if ((low_bits & (bytes - 1)) != 0) {
    for_lanes(lanes, [&](int i) {
      if ((places.address[i] & (bytes - 1)) == 0) return;
      warp.fault(in, i, "misaligned: " + std::to_string(bytes) + " bytes at " + hex(places.address[i]));
    });
  }
  if (in.space == Space::global && warp.launch->counts_sectors) {
    count_sectors(warp.launch->counts, places.address, lanes, bytes);
  }
  if (in.space == Space::global && find_in_last_range(in, warp, lanes, bytes, places)) return;
  for_lanes(lanes, [&](int i) {
    const Space space = in.space == Space::generic ? space_of(places.address[i]) : in.space;
    if (space == Space::shared) places.shared |= 1u << i;
    places.at[i] = find_in(in, warp, i, space, places.address[i], bytes);
  });
}

void touch_shared(const Instruction& in, WarpState& warp, int lane, uint64_t address, size_t bytes, Access access,
                  bool changes) {
  const int other = warp.launch->shared.touch(address, bytes, warp.thread_of(lane), access, changes);
  if (other < 0) return;
  const char* verb = access == Access::read ? "reads" : access == Access::write ? "writes" : "updates";
  warp.fault(in, lane,
             "race on shared memory: it " + std::string(verb) + " address " + hex(address) + ", which thread " +
                 std::to_string(other) + " of the block used with nothing between that orders the two");
}

}  // namespace tailseg::card
