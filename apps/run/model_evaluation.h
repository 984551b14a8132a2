// A model's figures on an annotated split: every photo through the network, then the COCO or LVIS protocol.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "apps/evaluate_results.h"
#include "apps/run/data_source.h"
#include "apps/run/found_objects.h"

namespace tailseg {

// What an evaluation tells while it runs; either may be empty.
struct EvaluationListener {
  std::function<void(int64_t done, int64_t all)> progress;  // after each photo
  std::function<void(const std::string& message)> skipped;  // a photo left out, under data.on_bad_photo = "skip"
};

// Sees the scores [N * P, C] of a batch's boxes and says what to use in their place.
using BatchScoreChange = std::function<Tensor(const Batch& batch, const BoxSet& boxes, const Tensor& scores)>;

// Objects of every image of the split, as results. `labels`: the split's label for each of the model's, -1 for a
// category that it does not have (empty: the same labels).
Detections detect_split(Context& ctx, MaskRcnn& model, const Config& config, const Split& split,
                        const EvaluationListener& listener = {}, const std::vector<int32_t>& labels = {},
                        const BatchScoreChange& change = {});

// The region proposal network's boxes of every image, at test settings, as results without a class.
Detections propose_split(Context& ctx, MaskRcnn& model, const Config& config, const Split& split,
                         const EvaluationListener& listener = {});

// Box and mask figures of these results. protocol: "coco", "lvis", or empty: as the annotation file is.
// train_instances by label decide AP1..AP4 (empty: the file's instance_count).
std::vector<TypeFigures> evaluate_split(const Split& split, const Detections& results, const std::string& protocol,
                                        const std::vector<int64_t>& train_instances, int threads);
// The same of an analysis.
std::vector<TypeFigures> evaluate_analysis(const Split& split, const ModelAnalysis& analysis,
                                           const std::string& protocol, const std::vector<int64_t>& train_instances,
                                           int threads);

}  // namespace tailseg
