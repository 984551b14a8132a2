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

// One evaluated type: "bbox", "segm", "proposals", or one of an analysis.
struct TypeFigures {
  std::string type;
  std::vector<Figure> figures;
  std::vector<CategoryResult> categories;  // by label; empty for proposals
};

// `types` in turn. Errors: as evaluate().
std::vector<TypeFigures> evaluate_types(const AnnotationSet& set, const Detections& detections,
                                        const std::vector<IouType>& types, EvaluationOptions options);

// What is known of each class besides its figures, by label; an empty list is not known.
struct ClassFacts {
  std::vector<int64_t> train_instances;    // -1: not known of this class
  std::vector<double> weight_norm;         // Euclidean norm of the classifier's row; -1 likewise
  std::vector<double> gradient_ratio;      // of the sums over training, positive / negative; -1: not known
  std::vector<double> accuracy;            // share of matched_proposals that were classified rightly; -1: of none
  std::vector<int64_t> matched_proposals;  // proposals that lie on an object of the class
};

// What is measured of a model besides its results, to find where it loses its classes. Made by apps/run/analysis.h.
struct ModelAnalysis {
  Detections proposals;    // of the region proposal network, without classes
  Detections true_labels;  // results if every proposal were classified rightly
  ClassFacts facts;
};

// The types "proposals", "true_labels/bbox" and "true_labels/segm".
std::vector<TypeFigures> evaluate_analysis(const AnnotationSet& set, const ModelAnalysis& analysis,
                                           const EvaluationOptions& options);

// {"protocol": ..., "bbox": {"AP": ..., "per_category": {"3": {"name", "AP", "AP50", "instances"}, ...}}, ...,
//  "categories": {"3": {"name", "frequency", "train_instances", "weight_norm", "gradient_ratio", "accuracy",
//  "matched_proposals"}, ...}};
// per_category leaves out categories without ground truth, categories has them all with what is known of each.
std::string metrics_json(const AnnotationSet& set, const std::string& protocol, const std::vector<TypeFigures>& types,
                         const ClassFacts& facts = {});

// instance_count of the annotation file, -1 where it has none.
std::vector<int64_t> instance_counts(const AnnotationSet& set);

// Writes metrics.json into `folder` (made if need be), whole or not at all. Returns its path.
std::string write_metrics(const std::string& folder, const std::string& json);

// pycocotools' lines for the figures they have, one line for the rest, then detectron2's copypaste lines.
void print_figures(const TypeFigures& type, std::ostream& out);

// What can be refused before any work is done: senseless bins (UsageError), an output folder that cannot be made.
void prepare_evaluation(const EvaluateResultsOptions& options);

// Scores detections that are already there: table or JSON to `out`, metrics.json and table.txt below options.output.
// `analysis` may be null.
void evaluate_detections(const AnnotationSet& set, const Detections& detections, const EvaluateResultsOptions& options,
                         std::ostream& out, std::ostream& log, const ModelAnalysis* analysis = nullptr);

// The program: results to `out`, remarks to `log`.
void evaluate_results(const EvaluateResultsOptions& options, std::ostream& out, std::ostream& log);

}  // namespace tailseg
