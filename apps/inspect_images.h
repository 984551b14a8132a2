// tailseg-inspect on photos: how many, of which sizes and kinds, and which cannot be read.
#pragma once

#include <array>
#include <cstdint>
#include <iosfwd>
#include <map>
#include <string>
#include <vector>

#include "datasets/annotations.h"

namespace tailseg {

struct PhotoProblem {
  std::string file, text;
  int64_t image_id = -1;  // of the annotation file, -1 without one
};

struct PhotoReport {
  std::string path;
  int64_t photos = 0;                         // that can be read
  std::map<std::string, int64_t> kinds;       // "JPEG, colour", "PNG, grey + alpha"
  std::map<int, int64_t> orientations;        // EXIF's 2 to 8; upright photos are not counted
  std::array<int64_t, 5> longer_side{};       // up to 320, 640, 1280, 2560 pixels, above
  int64_t smallest[2] = {}, largest[2] = {};  // width, height of the photo with the fewest and the most pixels
  int64_t bytes = 0;
  std::vector<PhotoProblem> problems;
};

// Every pixel of a photo or of a folder's photos is decoded, on all threads. Throws Error when there is none.
PhotoReport inspect_photos(const std::string& path);

// The photos that an annotation file names, below `folder`: those that are missing, cannot be read, or have another
// size than it says.
PhotoReport inspect_photos_of(const AnnotationSet& set, const std::string& folder);

// `limit`: how many problems are listed; 0: all.
void print_photos(const PhotoReport& report, int limit, std::ostream& out);
std::string photos_json(const PhotoReport& report);  // everything, as one object

}  // namespace tailseg
