#include "datasets/annotations.h"

#include <algorithm>

#include "datasets/mask/polygon.h"

namespace tailseg {

const char* problem_name(ProblemKind kind) {
  switch (kind) {
    case ProblemKind::kShortPolygon:
      return "short_polygon";
    case ProblemKind::kNoMask:
      return "no_mask";
    case ProblemKind::kEmptyBox:
      return "empty_box";
    case ProblemKind::kThinBox:
      return "thin_box";
    case ProblemKind::kBoxOutside:
      return "box_outside";
    case ProblemKind::kNoArea:
      return "no_area";
    case ProblemKind::kUnknownListed:
      return "unknown_listed";
    case ProblemKind::kContradiction:
      return "contradiction";
    case ProblemKind::kNoFileName:
      return "no_file_name";
  }
  return "?";
}

int32_t AnnotationSet::label_of(int64_t category_id) const {
  const auto place = std::lower_bound(categories.begin(), categories.end(), category_id,
                                      [](const Category& category, int64_t id) { return category.id < id; });
  if (place == categories.end() || place->id != category_id) return -1;
  return static_cast<int32_t>(place - categories.begin());
}

int32_t AnnotationSet::image_index(int64_t image_id) const {
  const auto place = images.index_of.find(image_id);
  return place == images.index_of.end() ? -1 : place->second;
}

bool is_training_target(const AnnotationSet& set, int32_t a) {
  const Annotations& all = set.annotations;
  if (all.crowd[a] || all.ignore[a] || !all.has_mask(a) || !(all.area[a] > 0)) return false;
  const auto& [x, y, w, h] = all.box[a];
  if (w < 1 || h < 1) return false;
  const int32_t image = all.image[a];
  return x < set.images.width[image] && y < set.images.height[image] && x + w > 0 && y + h > 0;
}

Rle annotation_mask(const AnnotationSet& set, int32_t a) {
  const Annotations& all = set.annotations;
  const int32_t height = set.images.height[all.image[a]], width = set.images.width[all.image[a]];
  if (all.has_rle(a)) {
    const auto counts = all.rle_counts(a);
    return {height, width, {counts.begin(), counts.end()}};
  }
  const int64_t count = all.polygon_count(a);
  if (count == 0) return {height, width, {static_cast<uint32_t>(int64_t{height} * width)}};
  if (count == 1) return polygon_to_rle(all.polygon(a, 0), height, width);
  std::vector<Rle> parts;
  parts.reserve(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) parts.push_back(polygon_to_rle(all.polygon(a, i), height, width));
  return rle_union(parts);
}

}  // namespace tailseg
