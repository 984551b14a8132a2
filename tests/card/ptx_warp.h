// One warp: its registers, where its lanes stand, and what its instructions reach of the block around it.
#pragma once

#include <cstring>
#include <vector>

#include "tests/card/ptx_code.h"
#include "tests/card/ptx_memory.h"

namespace tailseg::card {

// What the warps of a launch have in common.
struct LaunchState {
  const Kernel* kernel = nullptr;
  LaunchShape shape;
  Dim3 block;  // the one that runs
  GlobalMemory global;
  SharedMemory shared;
  std::vector<uint8_t> parameters;
  uint64_t clock = 0;   // counts the turns of warps and their branches
  uint64_t writes = 0;  // counts writes to memory: who waits in a loop for ever sees none
  LaunchCounts counts;
  bool counts_sectors = false;
};

struct WarpState {
  std::vector<uint8_t> file;  // registers, 64 bytes aligned from `registers` on
  uint8_t* registers = nullptr;
  LaunchState* launch = nullptr;
  LocalMemory local;
  uint32_t number = 0;
  uint64_t instructions = 0;  // in this block

  uint32_t alive = 0;      // lanes that have not ended
  uint32_t gathering = 0;  // of them, waiting for lanes of their member mask
  uint32_t at_barrier = 0;
  uint32_t pcs[kLanes] = {};  // where lanes stand; those of `active` stand at `pc`
  uint32_t active = 0, pc = 0, limit = 0;
  bool highest_first = false;

  template <class T>
  T* reg(uint32_t at) {
    return reinterpret_cast<T*>(registers + at);
  }
  uint32_t runnable() const { return alive & ~gathering & ~at_barrier; }
  uint32_t thread_of(int lane) const { return number * kLanes + static_cast<uint32_t>(lane); }

  void begin_block(uint32_t lanes);  // that exist
  // Runs until no lane can, or until a turn is over; lanes that can still run are left in runnable().
  void run();
  // The lanes leave the barrier they wait at.
  void pass_barrier(uint32_t lanes);
  const Instruction& stands_at(int lane) const { return launch->kernel->code[pcs[lane]]; }
  std::string standing() const;  // where its living lanes stand, for a message
  [[noreturn]] void fault(const Instruction& in, int lane, const std::string& what) const;

 private:
  bool regroup();
  void leave_group();
  bool step(const Instruction& in, uint32_t lanes);
  bool branch(const Instruction& in, uint32_t taken);
  bool leave(uint32_t lanes);
  void split_off(uint32_t lanes);
  bool meet(const Instruction& in);
  bool release_met();
  uint32_t met_with(int lane) const;

  int turns_left_ = 0;
};

// 32 bytes of 0 or 1 as a mask.
inline uint32_t mask_of(const uint8_t* predicate) {
  uint32_t mask = 0;
  for (int i = 0; i < 4; ++i) {
    uint64_t eight;
    std::memcpy(&eight, predicate + 8 * i, 8);
    eight &= 0x0101010101010101u;  // lanes that never wrote it hold anything
    mask |= static_cast<uint32_t>((eight * 0x0102040810204080u) >> 56) << (8 * i);
  }
  return mask;
}

// Writes a result for the lanes of the mask.
template <class T>
inline void put(T* to, const T (&from)[kLanes], uint32_t lanes) {
  if (lanes == kAllLanes) {
    std::memcpy(to, from, sizeof(from));
  } else {
    for (int i = 0; i < kLanes; ++i) to[i] = (lanes >> i & 1) != 0 ? from[i] : to[i];
  }
}

// Calls f(lane) for every lane of the mask, the lowest first.
template <class F>
inline void for_lanes(uint32_t lanes, F f) {
  for (; lanes != 0; lanes &= lanes - 1) f(__builtin_ctz(lanes));
}

}  // namespace tailseg::card
