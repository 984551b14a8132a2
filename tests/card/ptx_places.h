// From the addresses of a warp's lanes to where their bytes are, or a fault.
#pragma once

#include "tests/card/ptx_warp.h"

namespace tailseg::card {

struct Places {
  uint8_t* at[kLanes];
  uint64_t address[kLanes];  // within its space
  uint32_t shared = 0;       // lanes whose bytes are in shared memory
  uint8_t* row = nullptr;    // all lanes' bytes, one lane behind the other without gaps, if they lie so
};

// `bytes` are those of one lane.
void find_places(const Instruction& in, WarpState& warp, uint32_t lanes, size_t bytes, Places& places);

// Faults when it races. Only for lanes in places.shared.
void touch_shared(const Instruction& in, WarpState& warp, int lane, uint64_t address, size_t bytes, Access access,
                  bool changes);

}  // namespace tailseg::card
