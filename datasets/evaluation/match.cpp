#include "datasets/evaluation/match.h"

#include <algorithm>

namespace tailseg {

int64_t Matcher::match(std::span<const double> iou, std::span<const Truth> truths,
                       std::span<const double> detection_area, bool all_ignorable, const AreaRange& range,
                       std::span<Outcome> out) {
  const int count = static_cast<int>(truths.size());
  order_.clear();
  const auto ignored = [&](int g) { return truths[g].ignore || !range.holds(truths[g].area); };
  for (int g = 0; g < count; ++g) {
    if (!ignored(g)) order_.push_back(g);
  }
  const int counting = static_cast<int>(order_.size());
  for (int g = 0; g < count; ++g) {
    if (ignored(g)) order_.push_back(g);
  }
  taken_.assign(truths.size(), 0);
  for (size_t d = 0; d < out.size(); ++d) {
    const double* row = iou.data() + d * truths.size();
    Outcome outcome;
    for (int t = 0; t < kThresholds && count > 0; ++t) {
      const auto bit = static_cast<uint16_t>(1 << t);
      double best = std::min(iou_threshold(t), 1 - 1e-10);
      int match = -1;
      for (int place = 0; place < count; ++place) {
        if (place == counting && match >= 0) break;  // one that counts is found: do not look at the ignored ones
        const int g = order_[place];
        if (row[g] < best || ((taken_[g] & bit) && !truths[g].crowd)) continue;
        best = row[g];
        match = place;
      }
      if (match < 0) continue;
      const int g = order_[match];
      taken_[g] |= bit;
      if (!truths[g].id_zero) outcome.matched |= bit;
      if (match >= counting) outcome.ignored |= bit;
    }
    if (all_ignorable || !range.holds(detection_area[d])) outcome.ignored |= static_cast<uint16_t>(~outcome.matched);
    out[d] = outcome;
  }
  return counting;
}

}  // namespace tailseg
