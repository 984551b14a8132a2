// The classes a model knows: label l is category id ids[l] of the annotation files, named names[l]. Travels in the
// checkpoint, so that evaluation and prediction need no annotation file to name what they found.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "datasets/annotations.h"

namespace tailseg {

struct ClassList {
  std::vector<int64_t> ids;
  std::vector<std::string> names;

  int64_t size() const { return static_cast<int64_t>(ids.size()); }
  static ClassList of(const AnnotationSet& set);
  std::string json() const;  // [[id, "name"], ...]
  static ClassList parse(const std::string& json, const std::string& source);
  bool operator==(const ClassList&) const = default;
};

}  // namespace tailseg
