#pragma once

#include <vector>

#include "datasets/annotations.h"

namespace tailseg {

// The same set with only these images (indices into set.images, in this order) and their annotations. Categories stay,
// so labels and ids mean the same.
AnnotationSet subset_of_images(const AnnotationSet& set, const std::vector<int32_t>& images);

}  // namespace tailseg
