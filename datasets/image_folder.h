// Photos without annotations, as a set that a loader can read: for prediction on files and folders.
#pragma once

#include <string>
#include <vector>

#include "datasets/annotations.h"
#include "datasets/image_decode.h"

namespace tailseg {

// Whether the name ends in .jpg, .jpeg or .png, in any case.
bool is_photo_name(const std::string& path);

// The files among `paths`, and of the folders among them every .jpg, .jpeg and .png in the order of the names,
// sub-folders not entered. Pictures of kinds that are not read (.gif, .webp, .bmp, .tif, .tiff) are left out, and named
// in `left_out` where it is given. Throws Error for a path that does not exist and for a folder without a photo.
std::vector<std::string> photo_files(const std::vector<std::string>& paths,
                                     std::vector<std::string>* left_out = nullptr);

// The photos of photo_files(paths). Image ids count from 1, sizes are read from the headers (upright), `file` is the
// path, so the loader's root is empty. A photo with a bad header throws Error if `skipped` is null and adds its message
// there otherwise. Throws Error as photo_files does and when no photo is left.
AnnotationSet photo_set(const std::vector<std::string>& paths, const DecodeOptions& options = {},
                        std::vector<std::string>* skipped = nullptr);

}  // namespace tailseg
