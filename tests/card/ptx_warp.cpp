// How a warp runs: of its lanes those with the smallest place in the code go first, together; so lanes that parted at a
// branch are together again where the branch's ways meet.
#include "tests/card/ptx_warp.h"

#include <cxxabi.h>

#include <algorithm>
#include <cstdlib>

#include "tests/card/ptx_text.h"

namespace tailseg::card {
namespace {

// Branches until another warp may run: who waits in a loop for another warp's word must not wait for ever.
constexpr int kTurn = 20000;
constexpr uint32_t kNowhere = 0xffffffffu;

std::string demangled(const std::string& name) {
  int status = 0;
  char* plain = abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status);
  std::string result = status == 0 && plain != nullptr ? plain : name;
  std::free(plain);
  return result;
}

std::string triple(uint32_t x, uint32_t y, uint32_t z) {
  return "(" + std::to_string(x) + ", " + std::to_string(y) + ", " + std::to_string(z) + ")";
}

std::string at_line(const Kernel& kernel, int line) {
  return "line " + std::to_string(line) + ": " + std::string(line_of(*kernel.text, line));
}

}  // namespace

void WarpState::begin_block(uint32_t lanes) {
  alive = lanes;
  gathering = at_barrier = active = 0;
  instructions = 0;
  highest_first = false;
  std::fill(std::begin(pcs), std::end(pcs), 0u);
  for (const UnsetRegister& r : launch->kernel->unset) {
    std::memset(registers + r.at, r.bytes == 1 ? 1 : 0xff, static_cast<size_t>(r.bytes) * kLanes);
  }
  local.poison();
}

void WarpState::run() {
  turns_left_ = kTurn;
  uint64_t executed = 0, lanes_of_all = 0;
  const Instruction* code = launch->kernel->code.data();
  while (regroup()) {
    for (;;) {
      const Instruction& in = code[pc];
      uint32_t lanes = active;
      if (in.guard != kNoRegister) {
        const uint32_t mask = mask_of(registers + in.guard);
        lanes &= in.guard_is_negated ? ~mask : mask;
      }
      ++executed;
      lanes_of_all += static_cast<uint64_t>(__builtin_popcount(lanes));
      if (in.flow == Flow::next) {
        if (lanes != 0) in.run(in, *this, lanes);
        if (++pc >= limit) break;
      } else if (!step(in, lanes)) {
        break;
      }
    }
    leave_group();
  }
  instructions += executed;
  launch->counts.instructions += executed;
  launch->counts.lanes += lanes_of_all;
}

// Whatever is not simply followed by the next instruction. False when the group may have to part.
bool WarpState::step(const Instruction& in, uint32_t lanes) {
  if (in.flow == Flow::branch) return branch(in, lanes);
  if (lanes == 0) return ++pc < limit;
  switch (in.flow) {
    case Flow::leave:
      return leave(lanes);
    case Flow::pause:
      ++pc;
      turns_left_ = 0;
      return false;
    case Flow::together:
      split_off(lanes);
      return meet(in);
    default:
      split_off(lanes);
      leave_group();
      at_barrier |= active;
      active = 0;
      return false;
  }
}

void WarpState::leave_group() {
  for_lanes(active, [&](int i) { pcs[i] = pc; });
}

// Picks the lanes that go on; false when there are none, or the turn is over.
bool WarpState::regroup() {
  if (runnable() == 0 && !release_met()) return false;
  if (turns_left_ <= 0) {
    highest_first = !highest_first;  // lanes may wait for other lanes of this warp, too
    return false;
  }
  const uint32_t ready = runnable();
  uint32_t first = kNowhere;
  uint32_t places[kLanes];
  for (int i = 0; i < kLanes; ++i) {
    const uint32_t place = highest_first ? ~pcs[i] : pcs[i];
    places[i] = (ready >> i & 1) != 0 ? place : kNowhere;
    first = std::min(first, places[i]);
  }
  uint32_t chosen = 0, second = kNowhere;
  for (int i = 0; i < kLanes; ++i) {
    chosen |= places[i] == first ? 1u << i : 0;
    second = std::min(second, places[i] == first ? kNowhere : places[i]);
  }
  active = chosen & ready;
  pc = highest_first ? ~first : first;
  limit = highest_first ? kNowhere : second;
  return true;
}

bool WarpState::branch(const Instruction& in, uint32_t taken) {
  ++launch->clock;
  if (taken == 0) return ++pc < limit;
  --turns_left_;
  if (taken == active) {
    pc = in.target;
    return pc < limit && turns_left_ > 0;
  }
  for_lanes(active, [&](int i) { pcs[i] = (taken >> i & 1) != 0 ? in.target : pc + 1; });
  active = 0;
  return false;
}

bool WarpState::leave(uint32_t lanes) {
  alive &= ~lanes;
  active &= ~lanes;
  ++pc;
  return active != 0 && pc < limit;
}

// Lanes that a guard keeps from an instruction which waits go past it.
void WarpState::split_off(uint32_t lanes) {
  for_lanes(active & ~lanes, [&](int i) { pcs[i] = pc + 1; });
  if (lanes != active) limit = std::min(limit, pc + 1);
  active = lanes;
}

bool WarpState::meet(const Instruction& in) {
  const uint32_t* members = reg<uint32_t>(in.members);
  uint32_t differences = 0;
  const uint32_t mask = members[__builtin_ctz(active)];
  for_lanes(active, [&](int i) { differences |= members[i] ^ mask; });
  if (differences == 0 && (mask & alive) == active) {
    launch->shared.pass_warp(number);
    in.run(in, *this, active);
    return ++pc < limit;
  }
  leave_group();
  for_lanes(active, [&](int i) {
    if ((members[i] >> i & 1) == 0) fault(in, i, "the thread is not in its own member mask");
  });
  gathering |= active;
  active = 0;
  release_met();
  return false;
}

// The lanes that the lane waits for, if all of them have come; otherwise none.
uint32_t WarpState::met_with(int lane) const {
  const auto mask_at = [&](int i) {
    uint32_t mask;
    std::memcpy(&mask, registers + stands_at(i).members + 4 * i, 4);
    return mask;
  };
  const uint32_t mask = mask_at(lane), needed = mask & alive;
  if ((needed & ~gathering) != 0) return 0;
  bool all = true;
  for_lanes(needed, [&](int i) {
    const bool same_place = pcs[i] == pcs[lane] || (stands_at(i).any_place && stands_at(lane).any_place);
    all = all && same_place && mask_at(i) == mask;
  });
  return all ? needed : 0;
}

bool WarpState::release_met() {
  bool any = false;
  for (uint32_t left = gathering; left != 0; left &= left - 1) {
    const int lane = __builtin_ctz(left);
    if ((gathering >> lane & 1) == 0) continue;
    const uint32_t lanes = met_with(lane);
    if (lanes == 0) continue;
    launch->shared.pass_warp(number);
    const Instruction& in = stands_at(lane);
    in.run(in, *this, lanes);
    for_lanes(lanes, [&](int i) { ++pcs[i]; });
    gathering &= ~lanes;
    any = true;
  }
  return any;
}

void WarpState::pass_barrier(uint32_t lanes) {
  for_lanes(lanes, [&](int i) { ++pcs[i]; });
  at_barrier &= ~lanes;
}

std::string WarpState::standing() const {
  std::string result;
  for (uint32_t left = alive; left != 0;) {
    const int first = __builtin_ctz(left);
    uint32_t same = 0;
    for_lanes(left, [&](int i) { same |= pcs[i] == pcs[first] ? 1u << i : 0; });
    left &= ~same;
    result += "\n  warp " + std::to_string(number) + ", " + std::to_string(__builtin_popcount(same)) +
              " threads from lane " + std::to_string(first) + " on, at " +
              at_line(*launch->kernel, stands_at(first).line);
  }
  return result;
}

void WarpState::fault(const Instruction& in, int lane, const std::string& what) const {
  const Dim3& size = launch->shape.block;
  const uint32_t thread = thread_of(lane);
  throw Fault("kernel " + demangled(launch->kernel->facts.name) + ", block " +
              triple(launch->block.x, launch->block.y, launch->block.z) + ", thread " +
              triple(thread % size.x, thread / size.x % size.y, thread / size.x / size.y) + ": " + what + "; " +
              at_line(*launch->kernel, in.line));
}

}  // namespace tailseg::card
