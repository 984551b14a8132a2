// tailseg-evaluate on a result file: what is evaluated, the table on the terminal and metrics.json.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "datasets/evaluation/evaluate.h"

namespace tailseg {

struct EvaluateResultsOptions {
  std::string annotations, results;
  std::string protocol;           // "coco", "lvis" or empty: lvis where the annotations have LVIS's lists
  std::string type;               // "bbox", "segm", "proposals" or empty: whatever the results have of bbox and segm
  std::string output;             // folder for metrics.json; empty: none is written
  std::string train_annotations;  // file whose instances per category decide AP1..AP4; empty: instance_count
  std::vector<int64_t> bins = {10, 100, 1000};
  bool always_mask_area = false;
  bool skip_images_without_proposals = false;
  bool json = false;  // metrics.json on the terminal instead of the table
  int threads = 0;
};

// One evaluated type: "bbox", "segm" or "proposals".
struct TypeFigures {
  std::string type;
  std::vector<Figure> figures;
  std::vector<CategoryResult> categories;  // by label; empty for proposals
};

// `types` in turn. Errors: as evaluate().
std::vector<TypeFigures> evaluate_types(const AnnotationSet& set, const Detections& detections,
                                        const std::vector<IouType>& types, EvaluationOptions options);

// {"protocol": ..., "bbox": {"AP": ..., "per_category": {"3": {"name", "AP", "AP50", "instances"}, ...}}, ...};
// categories without ground truth are left out.
std::string metrics_json(const AnnotationSet& set, const std::string& protocol, const std::vector<TypeFigures>& types);

// Writes metrics.json into `folder` (made if need be), whole or not at all. Returns its path.
std::string write_metrics(const std::string& folder, const std::string& json);

// pycocotools' lines for the figures they have, one line for the rest, then detectron2's copypaste lines.
void print_figures(const TypeFigures& type, std::ostream& out);

// What can be refused before any work is done: senseless bins (UsageError), an output folder that cannot be made.
void prepare_evaluation(const EvaluateResultsOptions& options);

// Scores detections that are already there: table or JSON to `out`, metrics.json and table.txt below options.output.
void evaluate_detections(const AnnotationSet& set, const Detections& detections, const EvaluateResultsOptions& options,
                         std::ostream& out, std::ostream& log);

// The program: results to `out`, remarks to `log`.
void evaluate_results(const EvaluateResultsOptions& options, std::ostream& out, std::ostream& log);

}  // namespace tailseg
