// How many library calls oneDNN has prepared for a context: for the profile, and for the test that their number is
// bounded.
#pragma once

#include "tensor/context.h"

namespace tailseg {

struct PlanFigures {
  int64_t kept = 0;      // now
  int64_t made = 0;      // since the context was made
  int64_t capacity = 0;  // 0: this build has no oneDNN
};

PlanFigures onednn_plans(Context& ctx);

}  // namespace tailseg
