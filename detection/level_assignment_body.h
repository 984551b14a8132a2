#pragma once

#include "detection/box.h"
#include "detection/level_assignment.h"

namespace tailseg {

template <class Real>
TS_HD inline int32_t level_of_box(const Box<Real>& box, int32_t levels, LevelRule rule) {
  const Real extra = rule == LevelRule::mmdet1 ? Real(1) : Real(0);
  const Real side = math::sqrt(math::mul_rounded(box.width() + extra, box.height() + extra));
  Real level;
  if (rule == LevelRule::detectron2) {
    level = math::floor(Real(4) + math::log2(side / Real(224) + Real(1e-8))) - Real(2);
  } else if (rule == LevelRule::torchvision) {
    level = math::floor(Real(4) + math::log2(side / Real(224)) + Real(1e-6)) - Real(2);
  } else {
    level = math::floor(math::log2(side / Real(56) + Real(1e-6)));
  }
  if (!(level > Real(0))) return 0;  // NaN too
  return static_cast<int32_t>(math::min(level, Real(levels - 1)));
}

// One item = one box (thread).
template <class Real>
struct AssignLevels {
  static constexpr const char* name = "assign_levels";
  static constexpr Lanes lanes = Lanes::one;
  const Real* boxes;  // [R, 4]
  int32_t* level;     // [R]
  int32_t levels;
  LevelRule rule;

  template <class Group>
  TS_HD void operator()(Group group, int64_t row) const {
    if (group.rank() == 0) level[row] = level_of_box(load_box(boxes + row * 4), levels, rule);
  }
  Cost cost(int64_t rows) const { return {(4.0 * sizeof(Real) + 4) * double(rows), 40.0 * double(rows)}; }
};

}  // namespace tailseg
