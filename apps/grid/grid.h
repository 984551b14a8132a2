// A grid of runs, one cell a method and several seeds a cell, as apps/reproduce.sh trains it; and what the papers say
// of it. The grid file is JSON:
//
//   {"cells": [{"cell": "ce", "method": "...", "config": "...",
//               "published": {"row": "where it is printed", "AP": 20.6, "APr": 0.8, ...}}, ...],
//    "claims": [{"text": "...", "kind": "above", "figure": "APr", "cell": "seesaw", "than": "ce"}, ...]}
//
// Published figures are in percent, as papers print them; "published" may be missing. Kinds of claims: claims.h.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "apps/report/run_folder.h"

namespace tailseg {

// Figures of a grid, in the order in which they are printed: masks under their names in metrics.json, "box_AP" of
// boxes.
inline constexpr const char* kGridFigures[] = {"AP", "APr", "APc", "APf", "AP1", "AP2", "AP3", "AP4", "box_AP"};

struct GridCell {
  std::string name, method, config;         // name: the folder of its runs
  std::string published_row;                // empty: nothing published
  std::map<std::string, double> published;  // in percent
};

enum class ClaimKind { above, not_below, gives_back };

struct GridClaim {
  std::string text, figure, cell, than;
  std::string from;  // gives_back: the cell where the figure was before calibration
  ClaimKind kind = ClaimKind::above;
};

struct Grid {
  std::vector<GridCell> cells;
  std::vector<GridClaim> claims;

  const GridCell* find(const std::string& name) const;
};

// Throws Error, naming the file and the entry, for what is malformed, two cells of one name, a claim about a cell that
// is not there or about an unknown figure.
Grid read_grid(const std::string& path);

// Mean over seeds, and the sample standard deviation (over n - 1); without one for a single seed.
struct MeanAndSpread {
  double mean = 0;
  std::optional<double> spread;
};
MeanAndSpread mean_and_spread(const std::vector<double>& values);

struct CellResult {
  const GridCell* cell = nullptr;
  std::vector<int64_t> seeds;                                // rising; those that were evaluated
  std::map<std::string, std::map<int64_t, double>> by_seed;  // kGridFigures, in 0..1, of each seed that has them
  ReportRun mean;                                            // figures and class figures are means over the seeds

  std::optional<MeanAndSpread> figure(const std::string& name) const;  // over the seeds that have it
};

// "3 rare, 2 common, 5 frequent classes; AP1 to AP4 are those with fewer than 10, 100, 1000 and with more training
// instances: 3, 2, 4, 1": how much a figure of a group stands on. Empty when nothing has run.
std::string group_sizes(const std::vector<CellResult>& results);

// The runs that lie in FOLDER/<cell>/seed<n>/evaluation/metrics.json; a cell without any has no seeds. Throws Error for
// a folder that is missing, for results that are malformed, and for cells whose classes differ.
std::vector<CellResult> read_results(const Grid& grid, const std::string& folder);

}  // namespace tailseg
