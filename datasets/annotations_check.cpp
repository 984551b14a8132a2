#include "datasets/annotations_check.h"

#include <algorithm>
#include <cmath>

#include "datasets/mask/polygon.h"
#include "tensor/error.h"

namespace tailseg {

namespace {

// Duplicate ids, found by sorting a copy; most files are ascending already.
void check_unique(std::vector<int64_t> ids, const std::string& path, const char* what) {
  if (!std::is_sorted(ids.begin(), ids.end())) std::sort(ids.begin(), ids.end());
  const auto twice = std::adjacent_find(ids.begin(), ids.end());
  TS_CHECK(twice == ids.end(), path, ": ", what, " id ", twice == ids.end() ? 0 : *twice, " occurs twice");
}

void resolve_categories(AnnotationSet& set) {
  std::sort(set.categories.begin(), set.categories.end(),
            [](const Category& a, const Category& b) { return a.id < b.id; });
  for (size_t i = 1; i < set.categories.size(); ++i) {
    TS_CHECK(set.categories[i - 1].id != set.categories[i].id, set.path, ": category id ", set.categories[i].id,
             " occurs twice");
  }
}

void resolve_images(AnnotationSet& set, const FileIds& ids) {
  check_unique(set.images.id, set.path, "image");
  set.images.index_of.reserve(set.images.id.size());
  for (int32_t i = 0; i < set.images.size(); ++i) {
    set.images.index_of.emplace(set.images.id[i], i);
    if (set.images.file[i].empty()) {
      set.problems.push_back({ProblemKind::kNoFileName, -1, set.images.id[i], "has neither file_name nor coco_url"});
    }
  }
  const auto to_labels = [&](const Lists<int64_t>& from, Lists<int32_t>& to, const char* key) {
    for (int64_t i = 0; i < from.size(); ++i) {
      for (const int64_t id : from[i]) {
        const int32_t label = set.label_of(id);
        if (label >= 0) {
          to.values.push_back(label);
        } else {
          set.problems.push_back({ProblemKind::kUnknownListed, -1, set.images.id[i],
                                  text(key, " has ", id, ", which is no category of the file")});
        }
      }
      to.end_list();
    }
  };
  to_labels(ids.negative, set.images.negative, "neg_category_ids");
  to_labels(ids.not_exhaustive, set.images.not_exhaustive, "not_exhaustive_category_ids");
}

void check_numbers(const AnnotationSet& set, int32_t a) {
  const Annotations& all = set.annotations;
  for (const double v : all.box[a]) {
    TS_CHECK(std::isfinite(v), set.path, ": annotation ", all.id[a], ": the box [", all.box[a][0], ", ", all.box[a][1],
             ", ", all.box[a][2], ", ", all.box[a][3], "] is not finite");
  }
  TS_CHECK(std::isfinite(all.area[a]), set.path, ": annotation ", all.id[a], ": the area ", all.area[a],
           " is not finite");
  for (int64_t p = 0; p < all.polygon_count(a); ++p) {
    for (const double v : all.polygon(a, p)) {
      TS_CHECK(std::abs(v) <= kLargestCoordinate, set.path, ": annotation ", all.id[a], ": polygon ", p,
               " has the coordinate ", v, ", not finite or too far away");
    }
  }
}

void resolve_annotation(AnnotationSet& set, const FileIds& ids, int32_t a) {
  Annotations& all = set.annotations;
  all.image[a] = set.image_index(ids.image_of[a]);
  TS_CHECK(all.image[a] >= 0, set.path, ": annotation ", all.id[a], ": image_id ", ids.image_of[a],
           " is no image of the file");
  all.label[a] = set.label_of(ids.category_of[a]);
  TS_CHECK(all.label[a] >= 0, set.path, ": annotation ", all.id[a], ": category_id ", ids.category_of[a],
           " is no category of the file");
  check_numbers(set, a);
  if (all.has_rle(a)) {
    const auto& [height, width] = ids.rle_size[all.rle_index[a]];
    TS_CHECK(height == set.images.height[all.image[a]] && width == set.images.width[all.image[a]], set.path,
             ": annotation ", all.id[a], ": the RLE's size is [", height, ", ", width, "], image ", ids.image_of[a],
             " has height ", set.images.height[all.image[a]], " and width ", set.images.width[all.image[a]]);
  }
}

void note_problems(AnnotationSet& set, int32_t a) {
  const Annotations& all = set.annotations;
  const int32_t image = all.image[a];
  const auto note = [&](ProblemKind kind, std::string what) {
    set.problems.push_back({kind, all.id[a], set.images.id[image], std::move(what)});
  };
  const double x = all.box[a][0], y = all.box[a][1], w = all.box[a][2], h = all.box[a][3];
  const auto box = [&] { return text("box [", x, ", ", y, ", ", w, ", ", h, "]"); };
  const int32_t width = set.images.width[image], height = set.images.height[image];
  if (!all.has_mask(a)) note(ProblemKind::kNoMask, "has no polygon and no RLE");
  if (!(w > 0 && h > 0)) {
    note(ProblemKind::kEmptyBox, box() + " is empty");
  } else if (!(x < width && y < height && x + w > 0 && y + h > 0)) {
    note(ProblemKind::kBoxOutside, text(box(), " does not meet its image of width ", width, " and height ", height));
  } else if (w < 1 || h < 1) {
    note(ProblemKind::kThinBox, box() + " is less than a pixel wide or high");
  }
  if (!(all.area[a] > 0)) note(ProblemKind::kNoArea, text("area is ", all.area[a]));
}

void group_by_image(AnnotationSet& set) {
  const Annotations& all = set.annotations;
  auto& begin = set.by_image.begin;
  begin.assign(static_cast<size_t>(set.images.size()) + 1, 0);
  for (const int32_t image : all.image) ++begin[image + 1];
  for (size_t i = 1; i < begin.size(); ++i) begin[i] += begin[i - 1];
  set.by_image.values.resize(all.image.size());
  std::vector<int64_t> next(begin.begin(), begin.end() - 1);
  for (int32_t a = 0; a < all.size(); ++a) set.by_image.values[next[all.image[a]]++] = a;
}

void note_contradictions(AnnotationSet& set) {
  for (int32_t i = 0; i < set.images.size(); ++i) {
    const auto negative = set.images.negative[i];
    if (negative.empty()) continue;
    for (const int32_t a : set.by_image[i]) {
      const int32_t label = set.annotations.label[a];
      if (std::find(negative.begin(), negative.end(), label) == negative.end()) continue;
      set.problems.push_back({ProblemKind::kContradiction, set.annotations.id[a], set.images.id[i],
                              text("category ", set.categories[label].id, " is also in the image's neg_category_ids")});
    }
  }
}

}  // namespace

void resolve(AnnotationSet& set, const FileIds& ids) {
  resolve_categories(set);
  resolve_images(set, ids);
  check_unique(set.annotations.id, set.path, "annotation");
  set.annotations.image.resize(ids.image_of.size());
  set.annotations.label.resize(ids.category_of.size());
  for (int32_t a = 0; a < set.annotations.size(); ++a) resolve_annotation(set, ids, a);
  for (const FileIds::ShortPolygon& p : ids.short_polygons) {
    set.problems.push_back({ProblemKind::kShortPolygon, set.annotations.id[p.annotation], ids.image_of[p.annotation],
                            text("polygon ", p.polygon, " has ", p.points, " points")});
  }
  for (int32_t a = 0; a < set.annotations.size(); ++a) note_problems(set, a);
  group_by_image(set);
  note_contradictions(set);
}

}  // namespace tailseg
