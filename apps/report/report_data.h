// Runs side by side: their classes joined into one list, and what every section needs to draw them.
#pragma once

#include <functional>

#include "apps/report/plot.h"
#include "apps/report/run_folder.h"

namespace tailseg {

// A class in every run; of_run[i] is null where run i does not know it.
struct ReportRow {
  int64_t id = 0;
  std::string name;
  char frequency = 0;
  std::optional<int64_t> train_instances;
  std::vector<const ReportClass*> of_run;
};

struct ReportData {
  std::vector<ReportRun> runs;
  std::vector<ReportRow> classes;  // by falling training instances; unknown ones last
  size_t class_runs = 0;           // how many runs, from the first, charts and tables of classes can hold
  std::string type;                // what AP means here: "segm", or "bbox" where no run has masks
};

// A page is to stay below 5 MB: so many points in one chart of classes, in one curve, and in all curves of training.
inline constexpr size_t kMostClassPoints = 7500, kMostCurvePoints = 2000, kMostTrainingPoints = 100000;

// Names the runs and joins their classes by id and name.
ReportData join_runs(std::vector<ReportRun> runs);

// "fr", "fc", "ff", or "fx" for a class of unknown frequency.
std::string frequency_class(char frequency);
const char* frequency_name(char frequency);  // "rare", "common", "frequent", "unknown"

// A value of a class in a run; nothing where it has none.
using ClassValue = std::function<std::optional<double>(const ReportClass&)>;
ClassValue class_ap(const std::string& type);

// One line under a heading about what is not there. `text` is HTML.
std::string note(const std::string& text);
// "RUN: evaluation/metrics.json not found; `tailseg-evaluate ...` writes it" for every run without an evaluation.
std::string notes_on_missing_metrics(const ReportData& data);

// A chart of points, one a class: x its training instances (log10), y `value`, runs told apart by their marks, and a
// line of means over quarters of a decade. Empty when no class has both.
std::string class_scatter(const ReportData& data, const std::string& title, const std::string& y_label,
                          const ClassValue& value, bool logarithmic = false, int digits = 1);

}  // namespace tailseg
