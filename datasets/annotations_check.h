// Second half of reading an annotation file, when all of it is known: ids become indices, and what is wrong is told.
#pragma once

#include "datasets/annotations.h"

namespace tailseg {

// What the file says by id, in file order, beside the set that is being filled.
struct FileIds {
  std::vector<int64_t> image_of, category_of;    // of each annotation
  Lists<int64_t> negative, not_exhaustive;       // category ids of each image
  std::vector<std::array<int32_t, 2>> rle_size;  // height, width of each RLE
  struct ShortPolygon {
    int32_t annotation;
    int64_t polygon, points;
  };
  std::vector<ShortPolygon> short_polygons;
};

// Fills index_of, image, label, the images' lists, by_image and problems. The categories need not be sorted yet.
// Errors: duplicate ids, unknown image or category, numbers that are not finite, an RLE that is not its image's size.
void resolve(AnnotationSet& set, const FileIds& ids);

}  // namespace tailseg
