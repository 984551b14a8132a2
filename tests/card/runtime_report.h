// What every kernel did in this process, as a table in the file that TAILSEG_CARD_REPORT names, written at the end. It
// counts what a card would have to do, not how long that takes: how well lanes are used, how well accesses fit the
// sectors of memory, and how long the longest warp is, which no number of multiprocessors shortens.
#pragma once

#include <string>

#include "tests/card/ptx.h"

namespace tailseg::card {

bool is_reported();
void report_launch(const std::string& kernel, const LaunchCounts& counts);  // kernel: as in the PTX

}  // namespace tailseg::card
