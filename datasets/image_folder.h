// Photos without annotations, as a set that a loader can read: for prediction on files and folders.
#pragma once

#include <string>
#include <vector>

#include "datasets/annotations.h"
#include "datasets/image_decode.h"

namespace tailseg {

// `paths` are files, or folders of which every .jpg, .jpeg and .png is taken (in the order of their names, sub-folders
// not entered). Image ids count from 1, sizes are read from the headers (upright), `file` is the path, so the loader's
// root is empty. A photo with a bad header throws Error if `skipped` is null and adds its message there otherwise.
// Throws Error for a path that does not exist and when no photo is left.
AnnotationSet photo_set(const std::vector<std::string>& paths, const DecodeOptions& options = {},
                        std::vector<std::string>* skipped = nullptr);

}  // namespace tailseg
