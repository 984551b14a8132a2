#include "apps/report/run_folder.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "apps/config/config_value.h"
#include "apps/report/run_files_reader.h"
#include "tensor/error.h"

namespace tailseg {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> parts_of(const std::string& folder) {
  std::error_code error;
  const fs::path whole = fs::weakly_canonical(folder, error);
  std::vector<std::string> parts;
  for (const fs::path& part : error ? fs::path(folder) : whole) {
    if (!part.empty()) parts.push_back(part.string());
  }
  return parts;
}

// How many of the first parts (from = 0) or of the last (from the end) all paths have in common, leaving each one.
size_t shared(const std::vector<std::vector<std::string>>& paths, bool from_end, size_t already) {
  for (size_t count = 0;; ++count) {
    for (const auto& path : paths) {
      if (count + already + 1 >= path.size()) return count;
      const auto at = [&](const std::vector<std::string>& p) { return from_end ? p[p.size() - 1 - count] : p[count]; };
      if (at(path) != at(paths[0])) return count;
    }
  }
}

// The classes' ratios at the last record, where classes and columns are as many.
void set_ratios(ReportRun& run) {
  if (!run.gradients || run.gradients->iterations.empty()) return;
  const std::vector<double>&positive = run.gradients->positives.back(), &negative = run.gradients->negatives.back();
  if (positive.size() != run.classes.size()) return;
  for (size_t label = 0; label < positive.size(); ++label) {
    if (negative[label] > 0) run.classes[label].gradient_ratio = positive[label] / negative[label];
  }
}

}  // namespace

const ReportClass* ReportRun::find(int64_t id, const std::string& name) const {
  const auto at = std::lower_bound(classes.begin(), classes.end(), id,
                                   [](const ReportClass& c, int64_t wanted) { return c.id < wanted; });
  return at != classes.end() && at->id == id && at->name == name ? &*at : nullptr;
}

std::optional<double> ReportRun::figure(const std::string& type, const std::string& name) const {
  const auto of_type = figures.find(type);
  if (of_type == figures.end()) return {};
  const auto value = of_type->second.find(name);
  return value == of_type->second.end() ? std::optional<double>() : value->second;
}

ReportRun read_run(const std::string& folder) {
  std::error_code error;
  TS_CHECK(fs::is_directory(folder, error), folder, ": no such folder; a report takes the folders of runs");
  ReportRun run;
  run.folder = folder;
  const fs::path root = folder;
  const auto first_of = [&](std::initializer_list<const char*> names) -> std::string {
    for (const char* name : names) {
      if (fs::exists(root / name, error)) return (root / name).string();
    }
    return "";
  };
  if (const std::string path = first_of({"evaluation/metrics.json", "metrics.json"}); !path.empty()) {
    read_metrics(path, run);
  }
  if (const std::string path = first_of({"metrics.jsonl"}); !path.empty()) read_series(path, run);
  if (const std::string path = first_of({"config.toml"}); !path.empty()) read_settings(path, run);
  if (const std::string path = first_of({"class_gradients.safetensors"}); !path.empty()) read_gradients(path, run);
  TS_CHECK(run.has_metrics || run.has_series || run.has_settings || run.gradients, folder,
           ": is not the folder of a run: it has neither evaluation/metrics.json (tailseg-evaluate --output) nor "
           "metrics.jsonl and config.toml (tailseg-train)");
  set_ratios(run);
  return run;
}

void name_runs(std::vector<ReportRun>& runs) {
  if (runs.empty()) return;
  std::vector<std::vector<std::string>> paths;
  for (const ReportRun& run : runs) paths.push_back(parts_of(run.folder));
  if (std::all_of(paths.begin(), paths.end(), [&](const auto& path) { return path == paths[0]; })) {
    for (auto& path : paths) path = {path.empty() ? "run" : path.back()};
  }
  const size_t begin = shared(paths, false, 0), end = shared(paths, true, begin);
  std::map<std::string, int> seen;
  for (size_t i = 0; i < runs.size(); ++i) {
    std::string label;
    for (size_t part = begin; part + end < paths[i].size(); ++part)
      label += (label.empty() ? "" : "/") + paths[i][part];
    const int number = ++seen[label];
    runs[i].label = number == 1 ? label : label + " (" + std::to_string(number) + ")";
  }
}

}  // namespace tailseg
