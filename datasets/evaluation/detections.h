// Detections to be evaluated, in memory and as the results JSON that COCO's and LVIS's evaluators read:
//   [{"image_id": 1, "category_id": 3, "bbox": [x, y, w, h], "score": 0.9,
//     "segmentation": {"size": [h, w], "counts": "..."}}, ...]
#pragma once

#include <memory>

#include "datasets/annotations.h"
#include "datasets/evaluation/protocol.h"
#include "datasets/mask/iou.h"

namespace tailseg {

// Keeps texts, in blocks that stay where they are: growing never copies what is there.
class TextStore {
 public:
  std::string_view keep(std::string_view text);

 private:
  std::vector<std::unique_ptr<char[]>> blocks_;
  size_t used_ = 0, size_ = 0;  // of the last block
};

// In the order in which they came. The geometry of a detection that cannot count is not kept: millions of them are
// in categories about which LVIS knows nothing in that image.
struct Detections {
  std::vector<int32_t> image;  // index
  std::vector<int32_t> label;  // -1: a category that the annotation file does not have, or none given (proposals)
  std::vector<double> score;
  std::vector<uint8_t> has_box, has_mask;
  std::vector<int32_t> slot;           // where its geometry is, -1: not kept
  std::vector<Box> box;                // [slot]; zeros where it has none
  std::vector<std::string_view> mask;  // [slot] RLE text, in `texts`; empty where it has none
  TextStore texts;
  int64_t unknown_category = 0;  // how many results name a category that the annotation file does not have

  int64_t size() const { return static_cast<int64_t>(image.size()); }
  bool any_box() const;
  bool any_mask() const;

  // `new_box` and `new_mask` may be null; with keep == false only the scores and forms are stored.
  // Errors: more than 2^31 - 1 detections.
  void add(int32_t new_image, int32_t new_label, double new_score, const Box* new_box, const std::string_view* new_mask,
           bool keep = true);

  // Mask of row `row` at its image's size. Errors: text that is no RLE of that size (the row is named).
  Rle decode_mask(int64_t row, const AnnotationSet& set) const;
};

// Which labels count in which image under LVIS: those with a ground truth there (of area > 0) or listed as negative.
class FederatedLabels {
 public:
  explicit FederatedLabels(const AnnotationSet& set);
  bool counts(int32_t image, int32_t label) const;

 private:
  Lists<int32_t> labels_;  // of each image, ascending
};

// Reads a results file. `federated`: keep only what counts under LVIS (null: keep all).
// Errors: malformed JSON (with its byte), a wrong type or a missing key (byte and result number), an image that the
// annotations do not have, a score or box that is not finite, a mask whose size is not its image's.
Detections read_results(const std::string& path, const AnnotationSet& set, const FederatedLabels* federated);
Detections parse_results(std::string_view json, const std::string& name, const AnnotationSet& set,
                         const FederatedLabels* federated);

// Writes such a file with the set's own image and category ids. Errors: the file cannot be written.
void write_results(const std::string& path, const AnnotationSet& set, const Detections& detections);

}  // namespace tailseg
