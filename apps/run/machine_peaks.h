// What this machine can do at best, measured: the copy and product rates beside which a kernel table is read.
#pragma once

#include <functional>

#include "tensor/context.h"
#include "tensor/dtype.h"

namespace tailseg {

struct Peaks {
  double bytes_per_second = 0;       // read and written by a copy
  double operations_per_second = 0;  // of a large matrix product of `dtype`, a multiplication and an addition being two
};

// The best of a few tries: a peak is what the machine can do, not what it does on average. Needs 1 GiB on a GPU, 300
// MiB elsewhere.
Peaks measure_peaks(Context& ctx, DType dtype);
inline Peaks better_of(const Peaks& a, const Peaks& b) {
  return {a.bytes_per_second > b.bytes_per_second ? a.bytes_per_second : b.bytes_per_second,
          a.operations_per_second > b.operations_per_second ? a.operations_per_second : b.operations_per_second};
}

// Wall-clock time of `work` with everything that it launched.
double milliseconds_of(Context& ctx, const std::function<void()>& work);

}  // namespace tailseg
