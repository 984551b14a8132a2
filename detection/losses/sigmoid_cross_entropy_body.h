// Value and gradient of binary cross-entropy class by class, row by row, for any activation.
#pragma once

#include "detection/losses/activation_body.h"

namespace tailseg {

// One item = one row; lanes walk its columns (contiguous). Every column weighs 1.
template <class Scalar, class Link>
struct BinaryClassRow {
  static constexpr const char* name = "binary_class_row";
  static constexpr Lanes lanes = Lanes::block;
  ClassRows<Scalar> rows;
  Link link;

  template <class Group>
  TS_HD void operator()(Group group, int64_t row) const {
    binary_row(group, rows, row, link, [](int64_t, bool) { return ComputeType<Scalar>(1); });
  }
  Cost cost(int64_t items) const { return rows.cost(items, 55); }
};

}  // namespace tailseg
