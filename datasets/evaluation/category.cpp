#include "datasets/evaluation/category.h"

#include <algorithm>
#include <numeric>

#include "datasets/evaluation/precision.h"
#include "datasets/mask/polygon.h"

namespace tailseg {

CategoryResult CategoryEvaluator::run(int32_t label) {
  for (auto& list : outcomes_) list.clear();
  scores_.clear();
  ranks_.clear();
  positives_ = {};
  std::span<const int32_t> rows = selection_.detections[label], truths = selection_.truths[label];
  const auto rank_of_row = [&](size_t i) { return selection_.image_rank[detections_.image[rows[i]]]; };
  const auto rank_of_truth = [&](size_t i) { return selection_.image_rank[set_.annotations.image[truths[i]]]; };
  size_t row = 0, truth = 0;
  while (row < rows.size() || truth < truths.size()) {
    int32_t image = INT32_MAX;
    if (row < rows.size()) image = std::min(image, rank_of_row(row));
    if (truth < truths.size()) image = std::min(image, rank_of_truth(truth));
    size_t row_end = row, truth_end = truth;
    while (row_end < rows.size() && rank_of_row(row_end) == image) ++row_end;
    while (truth_end < truths.size() && rank_of_truth(truth_end) == image) ++truth_end;
    add_image(label, rows.subspan(row, row_end - row), truths.subspan(truth, truth_end - truth));
    row = row_end;
    truth = truth_end;
  }
  return accumulate();
}

void CategoryEvaluator::add_image(int32_t label, std::span<const int32_t> rows, std::span<const int32_t> truths) {
  const bool lvis = options_.protocol == Protocol::kLvis;
  if (!lvis) rows = rows.first(std::min<size_t>(rows.size(), kCocoLimit));
  measure_detections(rows, options_.iou == IouType::kMask && !truths.empty());
  truths_.clear();
  for (const int32_t a : truths) {
    const Annotations& all = set_.annotations;
    const bool crowd = !lvis && all.crowd[a];
    truths_.push_back({all.area[a], crowd, lvis ? all.ignore[a] != 0 : crowd, all.id[a] == 0});
  }
  compare(truths);
  bool partial = false;
  if (lvis && !rows_.empty()) {
    const auto labels = set_.images.not_exhaustive[detections_.image[rows_[0]]];
    partial = std::find(labels.begin(), labels.end(), label) != labels.end();
  }
  const size_t first = scores_.size();
  for (size_t d = 0; d < rows_.size(); ++d) {
    scores_.push_back(detections_.score[rows_[d]]);
    ranks_.push_back(static_cast<int32_t>(d));
  }
  for (int area = 0; area < kAreas; ++area) {
    outcomes_[area].resize(scores_.size());
    positives_[area] +=
        matcher_.match(iou_, truths_, areas_, partial, kAreaRanges[area], std::span(outcomes_[area]).subspan(first));
  }
}

// Fills rows_ (LVIS drops what has no area), areas_, and boxes_ or, if asked for, masks_.
void CategoryEvaluator::measure_detections(std::span<const int32_t> rows, bool masks_needed) {
  rows_.clear();
  areas_.clear();
  boxes_.clear();
  masks_.clear();
  for (const int32_t row : rows) {
    Box box = detections_.box[detections_.slot[row]];
    const bool boxed = detections_.has_box[row], masked = detections_.has_mask[row];
    double area = box[2] * box[3];
    MeasuredMask mask;
    const bool area_from_mask = masked && (!selection_.area_from_box || !boxed);
    if (masked && (masks_needed || area_from_mask || !boxed)) mask = MeasuredMask(detections_.decode_mask(row, set_));
    if (!masked && masks_needed) {  // as the published loaders do: the box is the mask
      const int32_t image = detections_.image[row];
      mask = MeasuredMask(box_to_rle(box, set_.images.height[image], set_.images.width[image]));
    }
    if (area_from_mask) area = static_cast<double>(mask.area);
    if (!boxed) box = mask.box;
    if (options_.protocol == Protocol::kLvis && !(area > 0)) continue;
    rows_.push_back(row);
    areas_.push_back(area);
    boxes_.push_back(box);
    if (masks_needed) masks_.push_back(std::move(mask));
  }
}

// iou_ [D, G]
void CategoryEvaluator::compare(std::span<const int32_t> truths) {
  iou_.resize(rows_.size() * truths.size());
  if (iou_.empty()) return;
  for (size_t g = 0; g < truths.size(); ++g) {
    const bool crowd = truths_[g].crowd;
    if (options_.iou == IouType::kBox) {
      const Box& box = set_.annotations.box[truths[g]];
      for (size_t d = 0; d < rows_.size(); ++d) iou_[d * truths.size() + g] = box_iou(boxes_[d], box, crowd);
    } else {
      const MeasuredMask mask(annotation_mask(set_, truths[g]));
      for (size_t d = 0; d < rows_.size(); ++d) iou_[d * truths.size() + g] = mask_iou(masks_[d], mask, crowd);
    }
  }
}

CategoryResult CategoryEvaluator::accumulate() {
  std::vector<int32_t> order(scores_.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return scores_[a] > scores_[b]; });
  CategoryResult result;
  result.instances = positives_;
  for (auto& list : result.early_recall) list.fill(-1);
  std::vector<Outcome> sorted(order.size());
  std::vector<double> scratch;
  for (int area = 0; area < kAreas; ++area) {
    result.ap[area].fill(-1);
    result.recall[area].fill(-1);
    if (positives_[area] == 0) continue;
    for (size_t i = 0; i < order.size(); ++i) sorted[i] = outcomes_[area][order[i]];
    for (int t = 0; t < kThresholds; ++t) {
      const Curve curve = precision_recall(sorted, positives_[area], t, scratch);
      result.ap[area][t] = curve.ap;
      result.recall[area][t] = curve.recall;
    }
  }
  if (options_.protocol == Protocol::kCoco && positives_[0] > 0) {
    for (size_t limit = 0; limit < kCocoEarlyLimits.size(); ++limit) {
      for (int t = 0; t < kThresholds; ++t) {
        int64_t hits = 0;
        for (size_t i = 0; i < scores_.size(); ++i) {
          const Outcome& outcome = outcomes_[0][i];
          hits += ranks_[i] < kCocoEarlyLimits[limit] && (outcome.matched & ~outcome.ignored) >> t & 1;
        }
        result.early_recall[limit][t] = static_cast<double>(hits) / static_cast<double>(positives_[0]);
      }
    }
  }
  return result;
}

}  // namespace tailseg
