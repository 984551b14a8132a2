#include "datasets/annotations_subset.h"

#include "tensor/error.h"

namespace tailseg {
namespace {

template <class T>
void append_list(Lists<T>& to, std::span<const T> values) {
  to.values.insert(to.values.end(), values.begin(), values.end());
  to.end_list();
}

void append_annotation(Annotations& to, const Annotations& from, int32_t a, int32_t image) {
  const auto at = static_cast<size_t>(a);
  to.id.push_back(from.id[at]);
  to.image.push_back(image);
  to.label.push_back(from.label[at]);
  to.box.push_back(from.box[at]);
  to.area.push_back(from.area[at]);
  to.crowd.push_back(from.crowd[at]);
  to.ignore.push_back(from.ignore[at]);
  for (int64_t p = 0; p < from.polygon_count(a); ++p) append_list(to.polygons, from.polygon(a, p));
  to.polygon_begin.push_back(to.polygons.size());
  to.rle_index.push_back(from.has_rle(a) ? static_cast<int32_t>(to.rle.size()) : -1);
  if (from.has_rle(a)) append_list(to.rle, from.rle_counts(a));
}

}  // namespace

AnnotationSet subset_of_images(const AnnotationSet& set, const std::vector<int32_t>& images) {
  AnnotationSet out;
  out.path = set.path;
  out.lvis = set.lvis;
  out.categories = set.categories;
  for (const int32_t i : images) {
    TS_CHECK(i >= 0 && i < set.images.size(), "image ", i, " of ", set.images.size(), " in ", set.path);
    const auto at = static_cast<size_t>(i);
    const int32_t place = out.images.size();
    TS_CHECK(out.images.index_of.emplace(set.images.id[at], place).second, "image ", set.images.id[at],
             " is asked for twice");
    out.images.id.push_back(set.images.id[at]);
    out.images.width.push_back(set.images.width[at]);
    out.images.height.push_back(set.images.height[at]);
    out.images.file.push_back(set.images.file[at]);
    append_list(out.images.negative, set.images.negative[i]);
    append_list(out.images.not_exhaustive, set.images.not_exhaustive[i]);
    for (const int32_t a : set.by_image[i]) {
      out.by_image.values.push_back(out.annotations.size());
      append_annotation(out.annotations, set.annotations, a, place);
    }
    out.by_image.end_list();
  }
  return out;
}

}  // namespace tailseg
