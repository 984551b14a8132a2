// tailseg-inspect on an annotation file: counts, classes, frequency groups, what is wrong with it.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "datasets/annotations.h"

namespace tailseg {

struct ClassCount {
  int32_t label;
  int64_t instances, images;  // in this file, crowds left out
};

struct AnnotationSummary {
  int64_t images_with_annotations = 0;
  int64_t targets = 0, crowds = 0, ignored = 0;  // annotations; targets: is_training_target
  int64_t with_polygons = 0, with_rle = 0, without_mask = 0;
  std::array<int64_t, 3> sizes{};   // area below 32^2, below 96^2, above (crowds left out)
  std::vector<ClassCount> classes;  // by descending instances, then label
};
AnnotationSummary summarise_annotations(const AnnotationSet& set);

// `limit`: how many classes (from each end) and problems of each kind are listed; 0: all.
void print_annotations(const AnnotationSet& set, int limit, std::ostream& out);
std::string annotations_json(const AnnotationSet& set);  // everything, as one object

}  // namespace tailseg
