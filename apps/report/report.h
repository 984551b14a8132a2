// tailseg-report: one self-contained page of HTML for one run or several side by side. It asks the network for nothing:
// charts are inline SVG, and the few lines of script (page.h) only show names under the pointer, sort tables and hide
// runs; without script everything is still there to see.
#pragma once

#include <string>
#include <vector>

#include "apps/report/run_folder.h"

namespace tailseg {

// At least one run. `first` is HTML for the top of the page, below the legend.
std::string report_html(std::vector<ReportRun> runs, const std::string& first = "");

// Reads the runs and writes the page, whole or not at all. Errors: as read_run; a file that cannot be written.
void write_report(const std::vector<std::string>& folders, const std::string& path);

}  // namespace tailseg
