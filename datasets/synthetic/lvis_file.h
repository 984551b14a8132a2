// Writes annotations in LVIS v1 form.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tailseg::synthetic {

// By these two a set is known as made here.
constexpr const char* kDescription = "Synthetic long-tailed scenes in LVIS v1 form, made by tailseg-make-dataset";
constexpr const char* kPictureUrl = "http://synthetic.invalid/";  // then LvisImage::file

struct LvisCategory {
  std::string name, synset, definition;
  std::vector<std::string> synonyms;
  char frequency = 0;
  int64_t image_count = 0, instance_count = 0;  // of the train split
};

struct LvisObject {
  int32_t label = 0;                          // index into the categories as given
  std::vector<std::vector<double>> polygons;  // x0, y0, x1, y1, ...
};

struct LvisImage {
  int64_t id = 0, width = 0, height = 0;
  std::string file;  // "train/000000000001.jpg": becomes the end of coco_url
  std::vector<LvisObject> objects;
  std::vector<int32_t> negatives;  // labels
};

// place[label] + 1 is the category's id in the file. Boxes and areas are those of the polygons, as in LVIS. Annotation
// ids count from 1 in the order of the images. Written under another name first. Throws Error with the path.
void write_lvis_file(const std::string& path, const std::vector<LvisCategory>& categories,
                     const std::vector<int32_t>& place, const std::vector<LvisImage>& images);

}  // namespace tailseg::synthetic
