#include "datasets/loader_targets.h"

#include <algorithm>
#include <cmath>

#include "datasets/mask/rle.h"

namespace tailseg {
namespace {

using Corners = std::array<float, 4>;  // x0, y0, x1, y1

Corners place_mmdetection(const std::array<double, 4>& box, const Placement& p) {
  const auto width = static_cast<float>(p.resized.width), height = static_cast<float>(p.resized.height);
  const auto scale_x = static_cast<float>(p.scale_x()), scale_y = static_cast<float>(p.scale_y());
  const auto side = [](double at, float scale, float limit) {
    return std::clamp(static_cast<float>(at) * scale, 0.0f, limit);
  };
  const Corners c = {side(box[0], scale_x, width), side(box[1], scale_y, height), side(box[0] + box[2], scale_x, width),
                     side(box[1] + box[3], scale_y, height)};
  return p.flipped ? Corners{width - c[2], c[1], width - c[0], c[3]} : c;
}

Corners place_detectron2(const std::array<double, 4>& box, const Placement& p) {
  const auto width = static_cast<double>(p.resized.width), height = static_cast<double>(p.resized.height);
  double x0 = box[0] * p.scale_x(), x1 = (box[0] + box[2]) * p.scale_x();
  if (p.flipped) {
    std::swap(x0, x1);
    x0 = width - x0;
    x1 = width - x1;
  }
  const auto clip = [](double at, double limit) { return static_cast<float>(std::clamp(at, 0.0, limit)); };
  return {clip(x0, width), clip(box[1] * p.scale_y(), height), clip(x1, width),
          clip((box[1] + box[3]) * p.scale_y(), height)};
}

Corners place_torchvision(const std::array<double, 4>& box, const Placement& p) {
  const auto width = static_cast<float>(p.original.width), height = static_cast<float>(p.original.height);
  const float x = static_cast<float>(box[0]), y = static_cast<float>(box[1]);
  Corners c = {std::clamp(x, 0.0f, width), std::clamp(y, 0.0f, height),
               std::clamp(x + static_cast<float>(box[2]), 0.0f, width),
               std::clamp(y + static_cast<float>(box[3]), 0.0f, height)};
  if (p.flipped) c = {width - c[2], c[1], width - c[0], c[3]};
  const float ratio_x = static_cast<float>(p.resized.width) / width;
  const float ratio_y = static_cast<float>(p.resized.height) / height;
  return {c[0] * ratio_x, c[1] * ratio_y, c[2] * ratio_x, c[3] * ratio_y};
}

Corners place_box(const std::array<double, 4>& box, const Placement& placement, Convention rule) {
  if (rule == Convention::kMmdetection) return place_mmdetection(box, placement);
  if (rule == Convention::kDetectron2) return place_detectron2(box, placement);
  return place_torchvision(box, placement);
}

// The range of output positions, [begin, end), that read from [first, first + count).
struct Range {
  int32_t begin = 0, end = 0;
};
Range reading_from(const std::vector<int32_t>& positions, double first, double count) {
  const auto begin = std::lower_bound(positions.begin(), positions.end(), first);
  const auto end = std::lower_bound(begin, positions.end(), first + count);
  return {static_cast<int32_t>(begin - positions.begin()), static_cast<int32_t>(end - positions.begin())};
}

MaskBitmap place_mask(const Rle& rle, const Placement& placement, NearestRule rule) {
  const std::array<double, 4> box = rle_box(rle);
  const std::vector<int32_t> columns = nearest_positions(placement.original.width, placement.resized.width, rule);
  const std::vector<int32_t> rows = nearest_positions(placement.original.height, placement.resized.height, rule);
  const Range across = reading_from(columns, box[0], box[2]), down = reading_from(rows, box[1], box[3]);
  thread_local std::vector<uint8_t> whole;
  whole.resize(static_cast<size_t>(rle.width) * static_cast<size_t>(rle.height));
  rle_decode(rle, whole);
  MaskBitmap bitmap;
  bitmap.width = across.end - across.begin;
  bitmap.height = down.end - down.begin;
  bitmap.x = placement.flipped ? static_cast<int32_t>(placement.resized.width) - across.end : across.begin;
  bitmap.y = down.begin;
  bitmap.pixels.resize(static_cast<size_t>(bitmap.width) * static_cast<size_t>(bitmap.height));
  uint8_t* out = bitmap.pixels.data();
  for (int32_t y = down.begin; y < down.end; ++y) {
    const uint8_t* from = whole.data() + int64_t{rows[y]} * rle.width;
    for (int32_t x = 0; x < bitmap.width; ++x) {
      *out++ = from[columns[placement.flipped ? across.end - 1 - x : across.begin + x]];
    }
  }
  return bitmap;
}

void append_polygons(const AnnotationSet& set, int32_t a, const Placement& placement, Targets& targets) {
  const double scale_x = placement.scale_x(), scale_y = placement.scale_y();
  const auto width = static_cast<double>(placement.resized.width);
  for (int64_t i = 0; i < set.annotations.polygon_count(a); ++i) {
    const std::span<const double> polygon = set.annotations.polygon(a, i);
    for (size_t k = 0; k + 1 < polygon.size(); k += 2) {
      const double x = polygon[k] * scale_x;
      targets.polygons.values.push_back(static_cast<float>(placement.flipped ? width - x : x));
      targets.polygons.values.push_back(static_cast<float>(polygon[k + 1] * scale_y));
    }
    targets.polygons.end_list();
  }
}

bool is_target(const AnnotationSet& set, int32_t a, const Corners& box, Convention rule) {
  if (rule == Convention::kMmdetection) return is_training_target(set, a);
  if (set.annotations.crowd[a] || !set.annotations.has_mask(a)) return false;
  const float least = rule == Convention::kDetectron2 ? 1e-5f : 0.0f;
  return box[2] - box[0] > least && box[3] - box[1] > least;
}

}  // namespace

Targets make_targets(const AnnotationSet& set, int32_t image, const Placement& placement, const InputConfig& config,
                     MaskForm form) {
  const NearestRule nearest = config.box_rule == Convention::kDetectron2 ? NearestRule::kCentre : NearestRule::kCorner;
  Targets targets;
  for (const int32_t a : set.by_image[image]) {
    const Corners box = place_box(set.annotations.box[a], placement, config.box_rule);
    if (!is_target(set, a, box, config.target_rule)) continue;
    const bool as_bitmap = form == MaskForm::kBitmaps || set.annotations.has_rle(a);
    MaskBitmap bitmap;
    if (as_bitmap) {
      bitmap = place_mask(annotation_mask(set, a), placement, nearest);
      const bool empty = std::find(bitmap.pixels.begin(), bitmap.pixels.end(), 1) == bitmap.pixels.end();
      if (empty && config.target_rule == Convention::kDetectron2) continue;
    } else {
      append_polygons(set, a, placement, targets);
    }
    targets.boxes.push_back(box);
    targets.labels.push_back(set.annotations.label[a]);
    targets.annotation_ids.push_back(set.annotations.id[a]);
    targets.polygon_begin.push_back(targets.polygons.size());
    targets.bitmaps.push_back(std::move(bitmap));
  }
  return targets;
}

}  // namespace tailseg
