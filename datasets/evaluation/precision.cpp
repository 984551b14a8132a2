#include "datasets/evaluation/precision.h"

#include <algorithm>

namespace tailseg {

Curve precision_recall(std::span<const Outcome> outcomes, int64_t positives, int t, std::vector<double>& scratch) {
  constexpr double kEpsilon = 0x1p-52;       // numpy.spacing(1), which the published evaluators add to the denominator
  std::vector<double>& precision = scratch;  // at each true positive
  precision.clear();
  double hits = 0, misses = 0;
  for (const Outcome& outcome : outcomes) {
    if (outcome.ignored >> t & 1) continue;
    if (outcome.matched >> t & 1) {
      ++hits;
      precision.push_back(hits / (misses + hits + kEpsilon));
    } else {
      ++misses;
    }
  }
  if (precision.empty()) return {};
  for (size_t i = precision.size() - 1; i > 0; --i) precision[i - 1] = std::max(precision[i - 1], precision[i]);
  const auto total = static_cast<double>(positives);
  double sum = 0;
  size_t k = 0;
  for (int r = 0; r < kRecallLevels; ++r) {
    while (k < precision.size() && static_cast<double>(k + 1) / total < recall_level(r)) ++k;
    if (k == precision.size()) break;
    sum += precision[k];
  }
  return {sum / kRecallLevels, hits / total};
}

}  // namespace tailseg
