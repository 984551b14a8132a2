// The radix selection that topk_cuda uses for small k.
#pragma once

#include "tensor/sort.h"

namespace tailseg {

constexpr int kMostSelected = 4096;  // 32 KiB of shared memory for the final sort

// As topk_cuda, for k <= kMostSelected. counts: [rows] on the device, or null.
void topk_by_selection(Context& ctx, const Tensor& keys, const int32_t* counts, const RankedRows& out);

}  // namespace tailseg
