// The classes a model knows: label l is category id ids[l] of the annotation files, named names[l]. Travels in the
// checkpoint, so that evaluation and prediction need no annotation file to name what they found, nor to know how often
// each class was seen in training (heads may share filters by that).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "datasets/annotations.h"
#include "detection/losses/class_loss.h"

namespace tailseg {

struct ClassList {
  std::vector<int64_t> ids;
  std::vector<std::string> names;
  ClassStatistics statistics;  // of the set that the list was made of; empty when not known

  int64_t size() const { return static_cast<int64_t>(ids.size()); }
  static ClassList of(const AnnotationSet& set);
  // {"annotated_images": n, "classes": [[id, "name", images, instances], ...]}, or [[id, "name"], ...] without counts.
  std::string json() const;
  static ClassList parse(const std::string& json, const std::string& source);
  bool operator==(const ClassList& other) const { return ids == other.ids && names == other.names; }
};

}  // namespace tailseg
