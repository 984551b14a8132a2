// What a COCO or LVIS annotation file holds, as flat arrays: one array a field, one entry an image or annotation.
// A file of 1.27 million annotations has 86 million polygon coordinates; one object each would not fit in memory.
//
// Indices. An image is named by its place in `images` (file order), an annotation by its place in `annotations` (file
// order), a category by its label: categories are sorted by id, label = 0..C-1. The files' own ids keep their gaps and
// are found in the `id` fields; results are written with those.
//
// Geometry is as in the files: boxes are x, y, width, height in pixels of the original photo; polygon coordinates are
// x0, y0, x1, y1, ... in the same frame, where pixel (column c, row r) covers [c, c+1) x [r, r+1). They stay double,
// because the COCO rasteriser's rounding can tell 0.7 from its nearest float.
//
// Two levels of trouble. What makes a file unreadable or ambiguous (malformed JSON, a wrong type, a missing key, a
// duplicate id, an unknown image or category, a number that is not finite, an odd count of coordinates, an RLE of the
// wrong size) is an Error with the file and the byte or the id. What is merely dubious is kept in `problems` and
// treated as ProblemKind says.
// Formats: cocodataset.org (format-data), lvisdataset.org (v0.5 and v1).
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "datasets/mask/rle.h"

namespace tailseg {

// Lists of different lengths in one array: list i is values[begin[i]] .. values[begin[i + 1] - 1].
template <class T>
struct Lists {
  std::vector<T> values;
  std::vector<int64_t> begin{0};

  int64_t size() const { return static_cast<int64_t>(begin.size()) - 1; }
  std::span<const T> operator[](int64_t i) const {
    return {values.data() + begin[i], static_cast<size_t>(begin[i + 1] - begin[i])};
  }
  void end_list() { begin.push_back(static_cast<int64_t>(values.size())); }  // what was appended since is one list
};

struct Category {
  int64_t id = 0;
  std::string name;
  std::string synset;           // empty when the file has none
  char frequency = 0;           // LVIS: 'r', 'c' or 'f' by train images; 0 when the file has none
  int64_t image_count = -1;     // in the train set, also in LVIS val files; -1 when the file has none
  int64_t instance_count = -1;  // as image_count
};

struct Images {
  std::vector<int64_t> id;
  std::vector<int32_t> width, height;             // pixels, at least 1
  std::vector<std::string> file;                  // relative to the image folder; empty when the file names none
  Lists<int32_t> negative;                        // labels verified to be absent (LVIS neg_category_ids)
  Lists<int32_t> not_exhaustive;                  // labels of which only some instances are annotated (LVIS)
  std::unordered_map<int64_t, int32_t> index_of;  // id -> place

  int32_t size() const { return static_cast<int32_t>(id.size()); }
};

struct Annotations {
  std::vector<int64_t> id;
  std::vector<int32_t> image;              // index into Images
  std::vector<int32_t> label;              // 0..C-1
  std::vector<std::array<double, 4>> box;  // x, y, width, height
  std::vector<double> area;                // the file's figure: polygon area in LVIS, which is not the pixel count
  std::vector<uint8_t> crowd, ignore;      // 0 or 1
  std::vector<int64_t> polygon_begin{0};   // annotation a owns polygons polygon_begin[a] .. polygon_begin[a + 1] - 1
  Lists<double> polygons;                  // x0, y0, x1, y1, ...; at least three points each
  std::vector<int32_t> rle_index;          // which list of `rle` is the mask, -1 where it is not an RLE
  Lists<uint32_t> rle;                     // run lengths of the whole image, column-major, zeros first
                                           // (compressed strings are decoded while reading)

  int32_t size() const { return static_cast<int32_t>(id.size()); }
  int64_t polygon_count(int64_t a) const { return polygon_begin[a + 1] - polygon_begin[a]; }
  std::span<const double> polygon(int64_t a, int64_t i) const { return polygons[polygon_begin[a] + i]; }
  bool has_rle(int64_t a) const { return rle_index[a] >= 0; }
  std::span<const uint32_t> rle_counts(int64_t a) const { return rle[rle_index[a]]; }
  bool has_mask(int64_t a) const { return has_rle(a) || polygon_count(a) > 0; }
};

// What each problem leads to. "Kept" annotations count in evaluation, as in the published evaluators.
enum class ProblemKind : uint8_t {
  kShortPolygon,   // fewer than three points: the polygon is dropped
  kNoMask,         // no usable polygon or RLE: kept, not trained on
  kEmptyBox,       // width or height not positive: kept, not trained on
  kThinBox,        // width or height below one pixel: kept, not trained on
  kBoxOutside,     // the box does not meet the image: kept, not trained on
  kNoArea,         // area not positive: kept by COCO, dropped by LVIS evaluation; not trained on
  kUnknownListed,  // a neg_ or not_exhaustive_category_id that is no category: that entry is dropped
  kContradiction,  // a category listed as negative that has an annotation in the image: kept
  kNoFileName,     // neither file_name nor coco_url: the image cannot be loaded
};
const char* problem_name(ProblemKind kind);  // "short_polygon", ...

struct Problem {
  ProblemKind kind;
  int64_t annotation_id;  // -1 when it is the image's
  int64_t image_id;       // -1 when it is not known
  std::string text;       // one sentence with the numbers
};

struct AnnotationSet {
  std::string path;                  // for messages
  bool lvis = false;                 // has LVIS's lists or frequencies (v0.5 or v1); false: COCO
  std::vector<Category> categories;  // by ascending id; index = label
  Images images;
  Annotations annotations;
  Lists<int32_t> by_image;  // image -> its annotations, in file order
  std::vector<Problem> problems;

  int32_t class_count() const { return static_cast<int32_t>(categories.size()); }
  int32_t label_of(int64_t category_id) const;  // -1 when there is no such category
  int32_t image_index(int64_t image_id) const;  // -1 when there is no such image
};

// Reads an annotation file. Errors: see the head of this file.
AnnotationSet read_annotations(const std::string& path);

// The same from memory; `name` stands for the path in messages.
AnnotationSet parse_annotations(std::string_view json, const std::string& name);

// Whether an annotation is a training target: not crowd, not ignored, with a mask, area > 0, a box of at least 1 x 1
// pixel that meets its image (mmdetection's filter, METHODS 5.6).
bool is_training_target(const AnnotationSet& set, int32_t annotation);

// An annotation's mask at its image's size: the union of its polygons, or its RLE; empty if it has neither.
Rle annotation_mask(const AnnotationSet& set, int32_t annotation);

}  // namespace tailseg
