// What a run's folder holds, as the report shows it. Everything but the folder itself may be missing; what is there is
// well formed or an Error that names the file. Which command writes which file: README.md.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace tailseg {

// One class of an evaluation. AP is in 0..1; a type without ground truth of the class has no entry.
struct ReportClass {
  int64_t id = 0;  // in the annotation file
  std::string name;
  char frequency = 0;                      // 'r', 'c', 'f'; 0: unknown
  std::optional<int64_t> train_instances;  // unknown in metrics.json of other people's results without --train-...
  std::map<std::string, double> ap;        // "bbox", "segm" -> AP
  std::map<std::string, double> ap50;
  std::optional<double> weight_norm, accuracy;  // of the analysis
  int64_t matched_proposals = 0;                // what the accuracy is a share of
  std::optional<double> gradient_ratio;         // positive over negative, at the last record of ReportGradients
};

// A figure over the steps of training. Values that were not finite are left out.
using ReportSeries = std::vector<std::pair<double, double>>;  // iteration, value; rising

// Accumulated gradients of the class logits at some steps (detection/class_gradients.h).
struct ReportGradients {
  std::vector<int64_t> iterations;             // [T]
  std::vector<std::vector<double>> positives;  // [T][C], by label: classes by rising id
  std::vector<std::vector<double>> negatives;
};

struct ReportRun {
  std::string folder, label;  // label: what tells this run from the others; filled in by name_runs
  std::string protocol;       // of the evaluation; empty: not evaluated
  std::map<std::string, std::map<std::string, double>> figures;  // type -> name -> value, without those that are -1
  std::vector<ReportClass> classes;                              // by rising id
  std::map<std::string, ReportSeries> series;                    // of metrics.jsonl, evaluations included
  std::map<std::string, std::string> settings;                   // config.toml: dotted key -> value as TOML
  std::optional<ReportGradients> gradients;
  bool has_metrics = false, has_series = false, has_settings = false;

  const ReportClass* find(int64_t id, const std::string& name) const;
  std::optional<double> figure(const std::string& type, const std::string& name) const;
};

// Errors: no such folder; a folder that is no run (none of the files); a file that cannot be read or is malformed. A
// last line of metrics.jsonl without its end is taken for one that is being written, and left out.
ReportRun read_run(const std::string& folder);

// Labels: the folders' paths without the parts that all of them share at either end, so that runs/a/train and
// runs/b/train become "a" and "b". The same folder twice gets a number.
void name_runs(std::vector<ReportRun>& runs);

}  // namespace tailseg
