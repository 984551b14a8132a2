// The figures that are averages over categories, under the published evaluators' names and in their order.
#include <algorithm>
#include <cstdio>

#include "datasets/evaluation/evaluate.h"

namespace tailseg {

namespace {

constexpr const char* kCocoAreaNames[kAreas] = {"all", "small", "medium", "large"};
constexpr const char* kLvisAreaNames[kAreas] = {"all", "s", "m", "l"};
constexpr const char* kAreaSuffix[kAreas] = {"", "s", "m", "l"};

using Thresholds = std::array<double, kThresholds>;

class Summary {
 public:
  Summary(const std::vector<CategoryResult>& categories, bool lvis) : categories_(categories), lvis_(lvis) {}

  // Mean over the categories that pass `in` and have ground truth in the area range; over all thresholds or one.
  template <class In>
  double mean_ap(int area, int threshold, In in) const {
    double sum = 0;
    int64_t count = 0;
    for (size_t label = 0; label < categories_.size(); ++label) {
      if (categories_[label].instances[area] == 0 || !in(label)) continue;
      const Thresholds& ap = categories_[label].ap[area];
      for (int t = 0; t < kThresholds; ++t) {
        if (threshold >= 0 && t != threshold) continue;
        sum += ap[t];
        ++count;
      }
    }
    return count ? sum / static_cast<double>(count) : -1;
  }
  double mean_ap(int area, int threshold = -1) const {
    return mean_ap(area, threshold, [](size_t) { return true; });
  }

  template <class Pick>
  double mean_recall(int area, Pick pick) const {
    double sum = 0;
    int64_t count = 0;
    for (const CategoryResult& category : categories_) {
      if (category.instances[area] == 0) continue;
      for (const double recall : pick(category)) sum += recall;
      count += kThresholds;
    }
    return count ? sum / static_cast<double>(count) : -1;
  }

  void precision(const std::string& name, double value, const char* iou, int area, const char* group = "all") {
    figures_.push_back(
        {name, caption("Average Precision", "(AP)", iou, area, lvis_ ? kLvisLimit : kCocoLimit, group), value});
  }
  void recall(const std::string& name, double value, int area, int limit) {
    figures_.push_back({name, caption("Average Recall", "(AR)", kAllIou, area, limit, "all"), value});
  }
  void extra(const std::string& name, double value) { figures_.push_back({name, "", value}); }

  std::vector<Figure> take() { return std::move(figures_); }

  static constexpr const char* kAllIou = "0.50:0.95";

 private:
  std::string caption(const char* title, const char* kind, const char* iou, int area, int limit,
                      const char* group) const {
    char line[160];
    if (lvis_) {
      std::snprintf(line, sizeof line, " %-18s %s @[ IoU=%-9s | area=%6s | maxDets=%3d catIds=%3s]", title, kind, iou,
                    kLvisAreaNames[area], limit, group);
    } else {
      std::snprintf(line, sizeof line, " %-18s %s @[ IoU=%-9s | area=%6s | maxDets=%3d ]", title, kind, iou,
                    kCocoAreaNames[area], limit);
    }
    return line;
  }

  const std::vector<CategoryResult>& categories_;
  bool lvis_;
  std::vector<Figure> figures_;
};

void add_recalls(Summary& summary, bool lvis) {
  if (!lvis) {
    for (size_t i = 0; i < kCocoEarlyLimits.size(); ++i) {
      const double value =
          summary.mean_recall(0, [&](const CategoryResult& c) -> const Thresholds& { return c.early_recall[i]; });
      summary.recall("AR@" + std::to_string(kCocoEarlyLimits[i]), value, 0, kCocoEarlyLimits[i]);
    }
  }
  const int limit = lvis ? kLvisLimit : kCocoLimit;
  for (int area = 0; area < kAreas; ++area) {
    const double value =
        summary.mean_recall(area, [&](const CategoryResult& c) -> const Thresholds& { return c.recall[area]; });
    summary.recall(std::string("AR") + kAreaSuffix[area] + "@" + std::to_string(limit), value, area, limit);
  }
}

bool frequencies_known(const AnnotationSet& set) {
  return std::any_of(set.categories.begin(), set.categories.end(), [](const Category& c) { return c.frequency != 0; });
}

// APr, APc, APf or, at one threshold, AP50r and its like. Captions only where LVIS's evaluator has a line.
void add_frequency_groups(Summary& summary, const AnnotationSet& set, const std::string& name, int threshold,
                          bool captioned) {
  if (!frequencies_known(set)) return;
  for (const char group : {'r', 'c', 'f'}) {
    const std::string letter(1, group);
    const double ap =
        summary.mean_ap(0, threshold, [&](size_t label) { return set.categories[label].frequency == group; });
    if (captioned) {
      summary.precision(name + letter, ap, Summary::kAllIou, 0, letter.c_str());
    } else {
      summary.extra(name + letter, ap);
    }
  }
}

// SimCal's bins by train instances (METHODS 8.3) and their mean over the bins that have a category.
void add_instance_bins(Summary& summary, const AnnotationSet& set, const EvaluationOptions& options) {
  std::vector<int64_t> counts = options.train_instances;
  if (counts.empty()) {
    for (const Category& category : set.categories) counts.push_back(category.instance_count);
  }
  bool known = false;
  for (const int64_t count : counts) known = known || count >= 0;
  if (!known) return;
  double sum = 0;
  int filled = 0;
  for (int bin = 0; bin < 4; ++bin) {
    const int64_t low = bin == 0 ? 0 : options.bins[bin - 1], high = bin == 3 ? INT64_MAX : options.bins[bin];
    const double ap =
        summary.mean_ap(0, -1, [&](size_t label) { return counts[label] >= low && counts[label] < high; });
    summary.extra("AP" + std::to_string(bin + 1), ap);
    if (ap < 0) continue;
    sum += ap;
    ++filled;
  }
  summary.extra("bAP", filled ? sum / filled : -1);
}

}  // namespace

std::vector<Figure> summarise(const AnnotationSet& set, const std::vector<CategoryResult>& categories,
                              const EvaluationOptions& options) {
  const bool lvis = options.protocol == Protocol::kLvis;
  Summary summary(categories, lvis);
  summary.precision("AP", summary.mean_ap(0), Summary::kAllIou, 0);
  summary.precision("AP50", summary.mean_ap(0, 0), "0.50", 0);
  summary.precision("AP75", summary.mean_ap(0, 5), "0.75", 0);
  for (int area = 1; area < kAreas; ++area) {
    summary.precision(std::string("AP") + kAreaSuffix[area], summary.mean_ap(area), Summary::kAllIou, area);
  }
  if (lvis) add_frequency_groups(summary, set, "AP", -1, true);
  add_recalls(summary, lvis);
  if (!lvis) add_frequency_groups(summary, set, "AP", -1, false);
  add_frequency_groups(summary, set, "AP50", 0, false);
  add_instance_bins(summary, set, options);
  return summary.take();
}

}  // namespace tailseg
