// A grid's results as the papers print them: for a terminal, as JSON, and for the report's page.
#pragma once

#include "apps/grid/claims.h"

namespace tailseg {

// One line a cell: mean and spread over the seeds in percent, and the published row below it; then the claims.
std::string grid_text(const Grid& grid, const std::vector<CellResult>& results);

// [{"cell", "method", "config", "seeds": [0, 1, 2], "AP": {"mean": 0.31, "spread": 0.01}, ..., "published": {"row": ..,
// "AP": 0.206, ..}}, ...]: figures in 0..1; spread is null for a single seed, a figure that no run has is left out.
// Cells that have not run have no seeds.
std::string grid_json(const std::vector<CellResult>& results);

// The table, one chart a frequency group with a whisker of one spread to each side, and the claims.
std::string grid_section(const Grid& grid, const std::vector<CellResult>& results);

}  // namespace tailseg
