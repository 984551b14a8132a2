// The evaluation of one category: its images one after another, then its precision curves.
#pragma once

#include "datasets/evaluation/match.h"
#include "datasets/evaluation/select.h"

namespace tailseg {

class CategoryEvaluator {
 public:
  CategoryEvaluator(const AnnotationSet& set, const Detections& detections, const EvaluationOptions& options,
                    const Selection& selection)
      : set_(set), detections_(detections), options_(options), selection_(selection) {}

  CategoryResult run(int32_t label);

 private:
  void add_image(int32_t label, std::span<const int32_t> rows, std::span<const int32_t> truths);
  void measure_detections(std::span<const int32_t> rows, bool masks_needed);
  void compare(std::span<const int32_t> truths);
  CategoryResult accumulate();

  const AnnotationSet& set_;
  const Detections& detections_;
  const EvaluationOptions& options_;
  const Selection& selection_;

  // all images of the category so far
  std::array<std::vector<Outcome>, kAreas> outcomes_;
  std::vector<double> scores_;
  std::vector<int32_t> ranks_;  // place among its image's detections
  std::array<int64_t, kAreas> positives_{};

  // the image at hand
  std::vector<int32_t> rows_;
  std::vector<double> areas_, iou_;
  std::vector<Box> boxes_;
  std::vector<MeasuredMask> masks_;
  std::vector<Truth> truths_;
  Matcher matcher_;
};

}  // namespace tailseg
