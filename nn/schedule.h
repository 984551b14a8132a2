// The learning rate as a function of the step, nothing else: no state, so that a resumed run cannot differ.
#pragma once

#include <cstdint>
#include <vector>

namespace tailseg {

enum class ScheduleKind : unsigned char { step, cosine };

struct Schedule {
  ScheduleKind kind = ScheduleKind::step;
  double base_lr = 0.02;
  int64_t warmup_steps = 500;  // linear: lr * (1 - (1 - t / warmup_steps) (1 - warmup_factor)), METHODS 6
  double warmup_factor = 0.001;
  std::vector<int64_t> milestones;  // step: lr is multiplied by gamma at each of these
  double gamma = 0.1;
  int64_t total_steps = 0;  // cosine: reaches 0 here

  // The learning rate of step t (the first step is 0).
  double at(int64_t t) const;
};

}  // namespace tailseg
