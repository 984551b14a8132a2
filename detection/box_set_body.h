// One item = one row (thread).
#pragma once

#include "tensor/body.h"

namespace tailseg {

struct RowImages {
  static constexpr const char* name = "row_images";
  static constexpr Lanes lanes = Lanes::one;
  const int32_t* count;  // [N]
  int32_t* image;        // [N, P]
  int64_t capacity;      // P

  template <class Group>
  TS_HD void operator()(Group group, int64_t row) const {
    const int64_t n = row / capacity;
    if (group.rank() == 0) image[row] = row % capacity < count[n] ? static_cast<int32_t>(n) : -1;
  }
  Cost cost(int64_t rows) const { return {4.0 * double(rows), 3.0 * double(rows)}; }
};

}  // namespace tailseg
