#include "datasets/evaluation/proposal_recall.h"

#include <algorithm>

namespace tailseg {

namespace {

constexpr const char* kAreaSuffix[kAreas] = {"", "s", "m", "l"};

struct Tally {
  std::array<int64_t, kThresholds> found{};
  int64_t truths = 0;
};

// Greedy over all pairs; returns the IoU of each pair taken. Each truth's best free proposal is remembered and looked
// for again only when that proposal is taken.
std::vector<double> best_pairs(const std::vector<double>& iou, size_t truths, size_t stride, size_t proposals) {
  std::vector<uint8_t> taken(proposals, 0);
  std::vector<size_t> best(truths);
  std::vector<uint8_t> done(truths, 0);
  const auto look = [&](size_t g) {
    size_t place = proposals;
    for (size_t p = 0; p < proposals; ++p) {
      if (!taken[p] && (place == proposals || iou[g * stride + p] > iou[g * stride + place])) place = p;
    }
    best[g] = place;
  };
  for (size_t g = 0; g < truths; ++g) look(g);
  std::vector<double> out;
  for (size_t round = 0; round < std::min(truths, proposals); ++round) {
    size_t pick = truths;
    for (size_t g = 0; g < truths; ++g) {
      if (done[g]) continue;
      if (pick == truths || iou[g * stride + best[g]] > iou[pick * stride + best[pick]]) pick = g;
    }
    out.push_back(iou[pick * stride + best[pick]]);
    done[pick] = 1;
    taken[best[pick]] = 1;
    for (size_t g = 0; g < truths; ++g) {
      if (!done[g] && best[g] == best[pick]) look(g);
    }
  }
  return out;
}

}  // namespace

std::vector<Figure> proposal_recall(const AnnotationSet& set, const Detections& proposals,
                                    const ProposalRecallOptions& options) {
  std::vector<std::vector<int32_t>> rows(static_cast<size_t>(set.images.size()));
  for (int64_t row = 0; row < proposals.size(); ++row) {
    if (proposals.slot[row] >= 0) rows[proposals.image[row]].push_back(static_cast<int32_t>(row));
  }
  std::vector<std::array<Tally, kAreas>> tallies(options.limits.size());
  std::vector<double> iou;
  std::vector<int32_t> truths;
  for (int32_t image = 0; image < set.images.size(); ++image) {
    auto& mine = rows[image];
    if (mine.empty() && options.skip_images_without_proposals) continue;
    std::stable_sort(mine.begin(), mine.end(),
                     [&](int32_t a, int32_t b) { return proposals.score[a] > proposals.score[b]; });
    for (int area = 0; area < kAreas; ++area) {
      truths.clear();
      for (const int32_t a : set.by_image[image]) {
        const Annotations& all = set.annotations;
        if (!all.crowd[a] && !all.ignore[a] && kAreaRanges[area].holds(all.area[a])) truths.push_back(a);
      }
      iou.clear();
      for (const int32_t a : truths) {
        for (const int32_t row : mine) {
          iou.push_back(box_iou(proposals.box[proposals.slot[row]], set.annotations.box[a], false));
        }
      }
      for (size_t k = 0; k < options.limits.size(); ++k) {
        Tally& tally = tallies[k][area];
        tally.truths += static_cast<int64_t>(truths.size());
        const size_t kept = std::min<size_t>(mine.size(), static_cast<size_t>(std::max(0, options.limits[k])));
        for (const double pair : best_pairs(iou, truths.size(), mine.size(), kept)) {
          for (int t = 0; t < kThresholds; ++t) tally.found[t] += pair >= iou_threshold(t);
        }
      }
    }
  }
  std::vector<Figure> out;
  for (size_t k = 0; k < options.limits.size(); ++k) {
    for (int area = 0; area < kAreas; ++area) {
      const Tally& tally = tallies[k][area];
      double sum = 0;
      for (const int64_t found : tally.found) sum += static_cast<double>(found);
      const double value = tally.truths ? sum / kThresholds / static_cast<double>(tally.truths) : -1;
      out.push_back({"AR" + std::string(kAreaSuffix[area]) + "@" + std::to_string(options.limits[k]), "", value});
    }
  }
  return out;
}

}  // namespace tailseg
