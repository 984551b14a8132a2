#include "nn/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace tailseg {

double Schedule::at(int64_t t) const {
  double lr = base_lr;
  if (kind == ScheduleKind::step) {
    for (int64_t milestone : milestones) {
      if (t >= milestone) lr *= gamma;
    }
  } else if (total_steps > 0) {
    const double done = std::min(1.0, static_cast<double>(t) / static_cast<double>(total_steps));
    lr *= 0.5 * (1 + std::cos(std::numbers::pi * done));
  }
  if (t < warmup_steps) {
    const double share = static_cast<double>(t) / static_cast<double>(warmup_steps);
    lr *= 1 - (1 - share) * (1 - warmup_factor);
  }
  return lr;
}

}  // namespace tailseg
