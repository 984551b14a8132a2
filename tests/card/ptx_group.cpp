// Shuffles, votes, matches and reductions over the lanes that came together.
#include "tests/card/ptx_group.h"

#include <algorithm>
#include <map>
#include <string>

#include "tests/card/ptx_warp.h"

namespace tailseg::card {
namespace {

enum class Direction { up, down, butterfly, index };

// The lane that is asked for, and whether it is within the segment (PTX ISA, shfl.sync).
template <Direction direction>
bool source_of(int lane, uint32_t by, uint32_t clamp, int& source) {
  const int step = static_cast<int>(by & 31), value = static_cast<int>(clamp & 31);
  const int segment = static_cast<int>(clamp >> 8 & 31);
  const int highest = (lane & segment) | (value & ~segment), lowest = lane & segment;
  switch (direction) {
    case Direction::up:
      source = lane - step;
      return source >= highest;
    case Direction::down:
      source = lane + step;
      return source <= highest;
    case Direction::butterfly:
      source = lane ^ step;
      return source <= highest;
    case Direction::index:
      source = lowest | (step & ~segment);
      return source <= highest;
  }
}

template <Direction direction>
void shuffle(const Instruction& in, WarpState& warp, uint32_t lanes) {
  const uint32_t* values = warp.reg<uint32_t>(in.at[2]);
  const uint32_t* by = warp.reg<uint32_t>(in.at[3]);
  const uint32_t* clamp = warp.reg<uint32_t>(in.at[4]);
  uint32_t result[kLanes] = {};
  uint8_t inside[kLanes] = {};
  for_lanes(lanes, [&](int i) {
    int source = i;
    inside[i] = source_of<direction>(i, by[i], clamp[i], source) ? 1 : 0;
    if (inside[i] == 0) source = i;
    // What a lane that did not come would give is undefined; all ones is a NaN and an index out of every range.
    result[i] = (lanes >> source & 1) != 0 ? values[source] : 0xffffffffu;
  });
  put(warp.reg<uint32_t>(in.at[0]), result, lanes);
  if (in.at[1] != kNoRegister) put(warp.reg<uint8_t>(in.at[1]), inside, lanes);
}

template <class T>
void spread(WarpState& warp, uint32_t at, T value, uint32_t lanes) {
  T* to = warp.reg<T>(at);
  for_lanes(lanes, [&](int i) { to[i] = value; });
}

uint32_t votes(const Instruction& in, WarpState& warp, uint32_t lanes) {
  return mask_of(warp.reg<uint8_t>(in.at[1])) & lanes;
}
void vote_ballot(const Instruction& in, WarpState& warp, uint32_t lanes) {
  spread<uint32_t>(warp, in.at[0], votes(in, warp, lanes), lanes);
}
void vote_any(const Instruction& in, WarpState& warp, uint32_t lanes) {
  spread<uint8_t>(warp, in.at[0], votes(in, warp, lanes) != 0, lanes);
}
void vote_all(const Instruction& in, WarpState& warp, uint32_t lanes) {
  spread<uint8_t>(warp, in.at[0], votes(in, warp, lanes) == lanes, lanes);
}
void vote_uniform(const Instruction& in, WarpState& warp, uint32_t lanes) {
  const uint32_t mask = votes(in, warp, lanes);
  spread<uint8_t>(warp, in.at[0], mask == 0 || mask == lanes, lanes);
}

template <class T>
uint32_t equal_lanes(const T* values, T value, uint32_t lanes) {
  uint32_t mask = 0;
  for_lanes(lanes, [&](int i) { mask |= values[i] == value ? 1u << i : 0; });
  return mask;
}
template <class T>
void match_any(const Instruction& in, WarpState& warp, uint32_t lanes) {
  const T* values = warp.reg<T>(in.at[2]);
  uint32_t result[kLanes] = {};
  for_lanes(lanes, [&](int i) { result[i] = equal_lanes(values, values[i], lanes); });
  put(warp.reg<uint32_t>(in.at[0]), result, lanes);
}
template <class T>
void match_all(const Instruction& in, WarpState& warp, uint32_t lanes) {
  const T* values = warp.reg<T>(in.at[2]);
  const bool all = equal_lanes(values, values[__builtin_ctz(lanes)], lanes) == lanes;
  spread<uint32_t>(warp, in.at[0], all ? lanes : 0, lanes);
  if (in.at[1] != kNoRegister) spread<uint8_t>(warp, in.at[1], all, lanes);
}

struct Sum {
  static uint32_t of(uint32_t a, uint32_t b) { return a + b; }
};
struct And {
  static uint32_t of(uint32_t a, uint32_t b) { return a & b; }
};
struct Or {
  static uint32_t of(uint32_t a, uint32_t b) { return a | b; }
};
struct Xor {
  static uint32_t of(uint32_t a, uint32_t b) { return a ^ b; }
};
template <class T>
struct Smallest {
  static T of(T a, T b) { return std::min(a, b); }
};
template <class T>
struct Largest {
  static T of(T a, T b) { return std::max(a, b); }
};

template <class Op, class T>
void reduce(const Instruction& in, WarpState& warp, uint32_t lanes) {
  const T* values = warp.reg<T>(in.at[1]);
  T total = values[__builtin_ctz(lanes)];
  for_lanes(lanes & (lanes - 1), [&](int i) { total = Op::of(total, values[i]); });
  spread<T>(warp, in.at[0], total, lanes);
}

}  // namespace

Handler find_group_operation(std::string_view opcode) {
  static const std::map<std::string_view, Handler> handlers = {
      {"shfl.up.b32", shuffle<Direction::up>},
      {"shfl.down.b32", shuffle<Direction::down>},
      {"shfl.bfly.b32", shuffle<Direction::butterfly>},
      {"shfl.idx.b32", shuffle<Direction::index>},
      {"vote.ballot.b32", vote_ballot},
      {"vote.any.pred", vote_any},
      {"vote.all.pred", vote_all},
      {"vote.uni.pred", vote_uniform},
      {"match.any.b32", match_any<uint32_t>},
      {"match.any.b64", match_any<uint64_t>},
      {"match.all.b32", match_all<uint32_t>},
      {"match.all.b64", match_all<uint64_t>},
      {"redux.add.u32", reduce<Sum, uint32_t>},
      {"redux.add.s32", reduce<Sum, uint32_t>},
      {"redux.and.b32", reduce<And, uint32_t>},
      {"redux.or.b32", reduce<Or, uint32_t>},
      {"redux.xor.b32", reduce<Xor, uint32_t>},
      {"redux.min.u32", reduce<Smallest<uint32_t>, uint32_t>},
      {"redux.max.u32", reduce<Largest<uint32_t>, uint32_t>},
      {"redux.min.s32", reduce<Smallest<int32_t>, int32_t>},
      {"redux.max.s32", reduce<Largest<int32_t>, int32_t>},
  };
  const auto found = handlers.find(opcode);
  return found == handlers.end() ? nullptr : found->second;
}

void store_active_mask(const Instruction& in, WarpState& warp, uint32_t lanes) {
  spread<uint32_t>(warp, in.at[0], lanes, lanes);
}

}  // namespace tailseg::card
