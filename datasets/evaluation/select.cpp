#include "datasets/evaluation/select.h"

#include <algorithm>
#include <numeric>

namespace tailseg {

namespace {

std::vector<int32_t> rank_images(const Images& images) {
  std::vector<int32_t> order(static_cast<size_t>(images.size()));
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return images.id[a] < images.id[b]; });
  std::vector<int32_t> rank(order.size());
  for (size_t i = 0; i < order.size(); ++i) rank[order[i]] = static_cast<int32_t>(i);
  return rank;
}

// Items 0..size-1 grouped by key (-1: left out), each group in ascending order.
template <class Key>
Lists<int32_t> group_by(int64_t size, int32_t groups, Key key) {
  Lists<int32_t> out;
  out.begin.assign(static_cast<size_t>(groups) + 1, 0);
  for (int64_t i = 0; i < size; ++i) {
    const int32_t k = key(i);
    if (k >= 0) ++out.begin[k + 1];
  }
  for (int32_t g = 0; g < groups; ++g) out.begin[g + 1] += out.begin[g];
  out.values.resize(static_cast<size_t>(out.begin.back()));
  std::vector<int64_t> next(out.begin.begin(), out.begin.end() - 1);
  for (int64_t i = 0; i < size; ++i) {
    const int32_t k = key(i);
    if (k >= 0) out.values[next[k]++] = static_cast<int32_t>(i);
  }
  return out;
}

// LVIS: of each image the best `limit` detections over all categories, ties in file order. Also returns the row that
// the published loader sees first, whose having a box decides where areas come from: the first row, or the best of
// its image if that image had too many.
std::vector<uint8_t> cut_images(const AnnotationSet& set, const Detections& all, int limit, int64_t& first) {
  std::vector<uint8_t> kept(static_cast<size_t>(all.size()), 1);
  if (limit < 0) return kept;
  std::vector<int64_t> count(static_cast<size_t>(set.images.size()), 0);
  for (const int32_t image : all.image) ++count[image];
  Lists<int32_t> crowded = group_by(all.size(), set.images.size(),
                                    [&](int64_t row) { return count[all.image[row]] > limit ? all.image[row] : -1; });
  for (int32_t image = 0; image < set.images.size(); ++image) {
    const auto begin = crowded.values.begin() + crowded.begin[image],
               end = crowded.values.begin() + crowded.begin[image + 1];
    if (begin == end) continue;
    std::stable_sort(begin, end, [&](int32_t a, int32_t b) { return all.score[a] > all.score[b]; });
    for (auto row = begin + limit; row != end; ++row) kept[*row] = 0;
    if (all.image[0] == image && limit > 0) first = *begin;
  }
  return kept;
}

}  // namespace

Selection select(const AnnotationSet& set, const Detections& detections, const EvaluationOptions& options) {
  const bool lvis = options.protocol == Protocol::kLvis;
  const Annotations& truths = set.annotations;
  Selection out;
  out.image_rank = rank_images(set.images);
  int64_t first = 0;
  std::vector<uint8_t> kept;
  if (lvis) kept = cut_images(set, detections, options.max_per_image, first);
  out.area_from_box = detections.size() > 0 && detections.has_box[first] &&
                      !(options.always_mask_area && options.iou == IouType::kMask);

  const FederatedLabels federated = lvis ? FederatedLabels(set) : FederatedLabels(AnnotationSet{});
  const int32_t classes = set.class_count();
  out.detections = group_by(detections.size(), classes, [&](int64_t row) {
    const int32_t label = detections.label[row];
    if (detections.slot[row] < 0 || label < 0) return -1;
    if (lvis && !(kept[row] && federated.counts(detections.image[row], label))) return -1;
    return label;
  });
  out.truths =
      group_by(truths.size(), classes, [&](int64_t a) { return lvis && !(truths.area[a] > 0) ? -1 : truths.label[a]; });

  for (int32_t label = 0; label < classes; ++label) {
    const auto rows = out.detections.values.begin();
    std::stable_sort(rows + out.detections.begin[label], rows + out.detections.begin[label + 1],
                     [&](int32_t a, int32_t b) {
                       const int32_t rank_a = out.image_rank[detections.image[a]];
                       const int32_t rank_b = out.image_rank[detections.image[b]];
                       return rank_a != rank_b ? rank_a < rank_b : detections.score[a] > detections.score[b];
                     });
    const auto all = out.truths.values.begin();
    std::stable_sort(all + out.truths.begin[label], all + out.truths.begin[label + 1], [&](int32_t a, int32_t b) {
      return out.image_rank[truths.image[a]] < out.image_rank[truths.image[b]];
    });
  }
  return out;
}

}  // namespace tailseg
