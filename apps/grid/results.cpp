// The runs of a grid's cells, and their means over the seeds.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <filesystem>

#include "apps/grid/grid.h"
#include "datasets/evaluation/evaluate.h"
#include "tensor/error.h"

namespace tailseg {
namespace {

namespace fs = std::filesystem;

// n of "seed<n>", nothing for other names.
std::optional<int64_t> seed_of(const std::string& name) {
  const std::string prefix = "seed";
  int64_t seed = 0;
  if (name.compare(0, prefix.size(), prefix) != 0) return {};
  const char *begin = name.data() + prefix.size(), *end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(begin, end, seed);
  const bool canonical = error == std::errc() && stop == end && seed >= 0 && name == prefix + std::to_string(seed);
  return canonical ? std::optional<int64_t>(seed) : std::nullopt;
}

std::optional<double> figure_of(const ReportRun& run, const std::string& name) {
  return name == "box_AP" ? run.figure("bbox", "AP") : run.figure("segm", name);
}

double mean_of(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

using ClassNames = std::map<int64_t, std::string>;

ClassNames class_names(const ReportRun& run) {
  ClassNames names;
  for (const ReportClass& entry : run.classes) names[entry.id] = entry.name;
  return names;
}

void check_same_classes(const ReportRun& first, const ReportRun& other) {
  TS_CHECK(class_names(first) == class_names(other), other.folder, " has other classes than ", first.folder,
           "; the runs of a grid share one data set");
}

// One run that stands for all: figures and APs of classes are means over the runs that have them; what belongs to one
// run alone (curves, settings) is the first one's.
ReportRun mean_run(const std::vector<ReportRun>& runs, const std::string& folder) {
  ReportRun mean = runs[0];
  mean.folder = folder;
  for (auto& [type, figures] : mean.figures) {
    for (auto& [name, value] : figures) {
      std::vector<double> values;
      for (const ReportRun& run : runs) {
        if (const auto figure = run.figure(type, name)) values.push_back(*figure);
      }
      value = mean_of(values);
    }
  }
  for (ReportClass& entry : mean.classes) {
    for (auto* aps : {&entry.ap, &entry.ap50}) {
      for (auto& [type, value] : *aps) {
        std::vector<double> values;
        for (const ReportRun& run : runs) {
          const ReportClass* other = run.find(entry.id, entry.name);
          const auto& of_other = aps == &entry.ap ? other->ap : other->ap50;
          if (const auto found = of_other.find(type); found != of_other.end()) values.push_back(found->second);
        }
        value = mean_of(values);
      }
    }
  }
  return mean;
}

CellResult read_cell_runs(const GridCell& cell, const fs::path& folder) {
  CellResult result;
  result.cell = &cell;
  std::error_code error;
  if (!fs::is_directory(folder, error)) return result;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const auto seed = seed_of(entry.path().filename().string());
    if (seed && fs::exists(entry.path() / "evaluation/metrics.json", error)) result.seeds.push_back(*seed);
  }
  if (result.seeds.empty()) return result;
  std::sort(result.seeds.begin(), result.seeds.end());
  std::vector<ReportRun> runs;
  for (const int64_t seed : result.seeds) runs.push_back(read_run((folder / ("seed" + std::to_string(seed))).string()));
  for (const ReportRun& run : runs) check_same_classes(runs[0], run);
  for (const char* name : kGridFigures) {
    for (size_t i = 0; i < runs.size(); ++i) {
      if (const auto value = figure_of(runs[i], name)) result.by_seed[name][result.seeds[i]] = *value;
    }
  }
  result.mean = mean_run(runs, folder.string());
  return result;
}

}  // namespace

MeanAndSpread mean_and_spread(const std::vector<double>& values) {
  TS_CHECK(!values.empty(), "the mean of no value");
  MeanAndSpread out;
  out.mean = mean_of(values);
  if (values.size() == 1) return out;
  double squares = 0;
  for (const double value : values) squares += (value - out.mean) * (value - out.mean);
  out.spread = std::sqrt(squares / static_cast<double>(values.size() - 1));
  return out;
}

std::optional<MeanAndSpread> CellResult::figure(const std::string& name) const {
  const auto found = by_seed.find(name);
  if (found == by_seed.end()) return std::nullopt;
  std::vector<double> values;
  for (const auto& [seed, value] : found->second) values.push_back(value);
  return mean_and_spread(values);
}

std::string group_sizes(const std::vector<CellResult>& results) {
  const auto run = std::find_if(results.begin(), results.end(), [](const CellResult& r) { return !r.seeds.empty(); });
  if (run == results.end()) return "";
  std::map<char, int> frequencies;
  const std::array<int64_t, 3> lower = EvaluationOptions().bins;
  std::array<int, 4> bins{};
  for (const ReportClass& entry : run->mean.classes) {
    ++frequencies[entry.frequency];
    if (!entry.train_instances) continue;
    const int64_t count = *entry.train_instances;
    const auto bin = std::upper_bound(lower.begin(), lower.end(), count) - lower.begin();
    if (count > 0) ++bins[static_cast<size_t>(bin)];
  }
  return text(frequencies['r'], " rare, ", frequencies['c'], " common, ", frequencies['f'],
              " frequent classes; AP1 to AP4 are those with fewer than ", lower[0], ", ", lower[1], ", ", lower[2],
              " and with more training instances: ", bins[0], ", ", bins[1], ", ", bins[2], ", ", bins[3]);
}

std::vector<CellResult> read_results(const Grid& grid, const std::string& folder) {
  std::error_code error;
  TS_CHECK(fs::is_directory(folder, error), folder, ": no such folder; a grid's runs lie in <cell>/seed<n> below it");
  std::vector<CellResult> results;
  const CellResult* first = nullptr;
  results.reserve(grid.cells.size());
  for (const GridCell& cell : grid.cells) {
    results.push_back(read_cell_runs(cell, fs::path(folder) / cell.name));
    if (results.back().seeds.empty()) continue;
    if (first) check_same_classes(first->mean, results.back().mean);
    if (!first) first = &results.back();
  }
  TS_CHECK(std::any_of(results.begin(), results.end(), [](const CellResult& r) { return !r.seeds.empty(); }), folder,
           ": has no evaluated run of this grid; expected <cell>/seed<n>/evaluation/metrics.json");
  return results;
}

}  // namespace tailseg
