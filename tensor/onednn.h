// What oneDNN can do here and has done, for those who ask from outside.
#pragma once

#include "tensor/context.h"

namespace tailseg {

// Has this processor instructions for products of bfloat16 (avx512_bf16), and this build the library that uses them?
// Where it has not, the library emulates them slower than float32, or has none.
bool has_bfloat16_products();

// How many library calls are prepared for a context: for the test that their number is bounded.
struct PlanFigures {
  int64_t kept = 0;      // now
  int64_t made = 0;      // since the context was made
  int64_t capacity = 0;  // 0: this build has no oneDNN
};

PlanFigures onednn_plans(Context& ctx);

}  // namespace tailseg
