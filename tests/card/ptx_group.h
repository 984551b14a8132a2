// The handlers of what lanes of a warp do together: shuffles, votes, matches, reductions.
#pragma once

#include <string_view>

#include "tests/card/ptx_code.h"

namespace tailseg::card {

// By the opcode without ".sync": "shfl.up.b32" (operands: result, predicate or none, value, lane, clamp),
// "vote.ballot.b32" and "redux.add.u32" (result, value), "match.any.b32" (result, predicate or none, value). Null when
// there is none.
Handler find_group_operation(std::string_view opcode);

void store_active_mask(const Instruction& in, WarpState& warp, uint32_t lanes);

}  // namespace tailseg::card
