#pragma once

#include "tensor/body.h"
#include "tensor/philox.h"

namespace tailseg {

// One item = one row; lanes walk its columns four at a time, which share one Philox block: counter {row's number,
// column / 4, step, purpose}.
struct UniformDraws {
  static constexpr const char* name = "uniform_draws";
  static constexpr Lanes lanes = Lanes::warp;
  const int32_t* rows;   // [R] number of each row, or null: its place
  const int32_t* steps;  // [1] or null
  float* out;            // [R, columns]
  int64_t columns;
  RandomKey key;
  uint32_t step;

  template <class Group>
  TS_HD void operator()(Group group, int64_t row) const {
    const uint32_t now = step + (steps ? static_cast<uint32_t>(steps[0]) : 0u);
    const auto number = static_cast<uint32_t>(rows ? rows[row] : row);
    for (int64_t quad = group.rank(); quad * 4 < columns; quad += group.size()) {
      const Philox4x32::Counter words = random_words(key, now, static_cast<uint32_t>(quad), number);
      for (int64_t j = 0; j < 4 && quad * 4 + j < columns; ++j) {
        out[row * columns + quad * 4 + j] = uniform01(words.word[j]);
      }
    }
  }
  Cost cost(int64_t items) const { return {double(items) * double(columns) * 4, double(items) * double(columns) * 30}; }
};

}  // namespace tailseg
