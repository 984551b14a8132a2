// The two splits a run works on, found as the configuration says.
#pragma once

#include <string>

#include "apps/config/config.h"
#include "datasets/annotations.h"

namespace tailseg {

struct Split {
  AnnotationSet set;
  std::string images;  // folder that the photos' names are relative to
};

enum class SplitName { train, val };

// Opens data.{train,val}_annotations below data.root. A root that lacks the configured file but was made by
// tailseg-make-dataset (annotations/train.json, images/) is used as such. Throws Error when neither is there.
Split open_split(const Config& config, SplitName name);

// False only for a validation split that the configuration does not name and that no made folder has.
bool has_split(const Config& config, SplitName name);

// "1203 classes, 100170 images, 1270141 annotations; 337 rare, 461 common, 405 frequent classes": one line for the log.
std::string split_summary(const AnnotationSet& set);

}  // namespace tailseg
