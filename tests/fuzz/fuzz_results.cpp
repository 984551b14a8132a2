// Results JSON against a fixed annotation file: an Error, or figures between -1 and 1 in both protocols and types.
#include <cstddef>
#include <cstdint>

#include "datasets/evaluation/proposal_recall.h"
#include "tensor/error.h"

namespace {

constexpr const char* kAnnotations = R"({
  "images": [
    {"id": 1, "width": 20, "height": 10, "neg_category_ids": [3], "not_exhaustive_category_ids": [2]},
    {"id": 7, "width": 8, "height": 8, "neg_category_ids": [1], "not_exhaustive_category_ids": []}],
  "annotations": [
    {"id": 0, "image_id": 1, "category_id": 2, "bbox": [2, 2, 6, 5], "area": 30,
     "segmentation": [[2, 2, 8, 2, 8, 7, 2, 7]]},
    {"id": 1, "image_id": 1, "category_id": 2, "bbox": [3, 2, 6, 5], "area": 30, "iscrowd": 1,
     "segmentation": {"size": [10, 20], "counts": [50, 30, 120]}},
    {"id": 2, "image_id": 7, "category_id": 3, "bbox": [0, 0, 4, 4], "area": 16,
     "segmentation": [[0, 0, 4, 0, 4, 4, 0, 4]]}],
  "categories": [
    {"id": 1, "name": "a", "frequency": "r", "instance_count": 3},
    {"id": 2, "name": "b", "frequency": "c", "instance_count": 30},
    {"id": 3, "name": "c", "frequency": "f", "instance_count": 3000}]})";

void check(const std::vector<tailseg::Figure>& figures) {
  for (const tailseg::Figure& figure : figures) {
    if (!(figure.value == -1 || (figure.value >= 0 && figure.value <= 1))) __builtin_trap();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const tailseg::AnnotationSet set = tailseg::parse_annotations(kAnnotations, "fixed");
  static const tailseg::FederatedLabels federated(set);
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const bool lvis : {false, true}) {
    try {
      const tailseg::Detections detections = tailseg::parse_results(text, "fuzz", set, lvis ? &federated : nullptr);
      tailseg::EvaluationOptions options;
      options.protocol = lvis ? tailseg::Protocol::kLvis : tailseg::Protocol::kCoco;
      options.threads = 1;
      options.max_per_image = 3;
      check(tailseg::evaluate(set, detections, options).figures);
      check(tailseg::proposal_recall(set, detections, {}));
      options.iou = tailseg::IouType::kMask;
      check(tailseg::evaluate(set, detections, options).figures);
    } catch (const tailseg::Error&) {
    }
  }
  return 0;
}
