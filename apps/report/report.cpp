#include "apps/report/report.h"

#include "apps/report/html.h"
#include "apps/report/page.h"
#include "apps/report/sections.h"
#include "nn/atomic_file.h"
#include "tensor/error.h"

namespace tailseg {

std::string report_html(std::vector<ReportRun> runs, const std::string& first) {
  TS_CHECK(!runs.empty(), "a report of no run");
  const ReportData data = join_runs(std::move(runs));
  std::string title = data.runs[0].label;
  for (size_t i = 1; i < data.runs.size() && i < 4; ++i) title += ", " + data.runs[i].label;
  if (data.runs.size() > 4) title += ", ...";
  std::string out = page_head(title + " - Tailseg", data.runs.size()) + page_marks();
  out += "<h1>" + html_text(title) + "</h1>\n" + page_legend(data) + first;
  for (const auto& section : {ap_by_instances_section, ap_change_section, summary_section, training_section,
                              histogram_section, class_table_section, analysis_section, settings_section}) {
    out += section(data);
  }
  return out + page_script(data) + "</body></html>\n";
}

void write_report(const std::vector<std::string>& folders, const std::string& path) {
  AtomicFile file(path);  // first: a place that cannot be written is said before the work
  std::vector<ReportRun> runs;
  for (const std::string& folder : folders) runs.push_back(read_run(folder));
  file.write(report_html(std::move(runs)));
  file.commit();
}

}  // namespace tailseg
