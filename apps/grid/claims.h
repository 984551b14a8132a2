// What the papers claim, judged on the runs of a grid. With a cell's mean m and spread s over its seeds:
//
//   above       m(cell) - m(than) is more than sqrt(s(cell)^2 + s(than)^2), the spread of that difference; "within the
//               spread" where it is more than 0 and not more than that
//   not_below   m(cell) - m(than) is at least 0; "within the spread" where it is below 0 by at most that spread
//   gives_back  calibration took d = m(from) - m(than) of a figure; m(cell) - m(than) is more than d / 2. The three
//               share a detector in each seed, so the spread of d is that of its values seed by seed. "nothing was
//               taken" where d is not above it
//
// Where neither cell has more than one seed there is no spread: what points the right way is "seen, one seed".
#pragma once

#include "apps/grid/grid.h"

namespace tailseg {

enum class Verdict { seen, seen_once, within_spread, nothing_taken, not_seen, missing };

struct JudgedClaim {
  const GridClaim* claim = nullptr;
  Verdict verdict = Verdict::missing;  // missing: a cell has no runs, or not this figure
  std::string numbers;                 // "APr 31.2 against 12.0: +19.2, spread 2.1", in percent
};

std::vector<JudgedClaim> judge(const Grid& grid, const std::vector<CellResult>& results);
const char* verdict_text(Verdict verdict);

}  // namespace tailseg
