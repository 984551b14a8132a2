// Where a detector loses its rare classes: proposals, classification, the classifier's norms.
#include <algorithm>

#include "apps/report/html.h"
#include "apps/report/sections.h"

namespace tailseg {
namespace {

struct Cells {
  std::string heading, type, name;
};

// A row a run, a column a figure; empty when no run has any of them.
std::string figures_table(const ReportData& data, const std::string& id, const std::vector<Cells>& columns) {
  std::string rows;
  bool any = false;
  for (const ReportRun& run : data.runs) {
    rows += "<tr><td>" + html_text(run.label) + "</td>";
    for (const Cells& column : columns) {
      const auto value = run.figure(column.type, column.name);
      any = any || value;
      rows += value ? "<td data-v=\"" + short_text(100 * *value) + "\">" + fixed_text(100 * *value, 1) + "</td>"
                    : "<td></td>";
    }
    rows += "</tr>\n";
  }
  if (!any) return "";
  std::string out = "<div class=\"scroll\"><table class=\"sortable\" id=\"" + id + "\"><thead><tr><th>run</th>";
  for (const Cells& column : columns) out += "<th>" + column.heading + "</th>";
  return out + "</tr></thead><tbody>\n" + rows + "</tbody></table></div>\n";
}

std::string command_note(const std::string& what, const std::string& command) {
  return note(what + " not found; <code>" + command + "</code> writes " + (what.back() == 's' ? "them" : "it"));
}

const char* const kAnalyse = "tailseg-evaluate --checkpoint RUN --analysis --output RUN/evaluation";

std::string recall_part(const ReportData& data) {
  std::vector<Cells> columns;
  for (const char* name : {"AR@100", "AR@300", "AR@1000"}) columns.push_back({name, "proposals", name});
  const std::string table = figures_table(data, "recall-table", columns);
  if (table.empty()) return command_note("The proposals' recall", kAnalyse);
  return "<h3>Recall of the proposals</h3>\n<p>Percent of the ground truths, mean over IoU 0.5 to 0.95; the class does "
         "not count.</p>\n" +
         table;
}

std::string true_labels_part(const ReportData& data) {
  std::vector<Cells> columns;
  const std::string with = "true_labels/" + data.type;
  for (const char* name : {"AP", "APr", "APc", "APf", "AP1", "AP2", "AP3", "AP4"}) {
    if (std::none_of(data.runs.begin(), data.runs.end(),
                     [&](const ReportRun& run) { return run.figure(with, name); })) {
      continue;
    }
    columns.push_back({name, data.type, name});
    columns.push_back({std::string(name) + " with true labels", with, name});
  }
  const bool none = std::none_of(columns.begin(), columns.end(), [&](const Cells& c) { return c.type == with; });
  if (none) return command_note("Figures with the proposals' true labels", kAnalyse);
  return "<h3>If every proposal were classified rightly</h3>\n<p>Proposals keep their boxes and masks and get the "
         "class "
         "of the ground truth they overlap most (IoU 0.5 or more): the rest of the way to 100 is not the classifier's "
         "fault.</p>\n" +
         figures_table(data, "true-labels-table", columns);
}

std::string scatter_part(const ReportData& data, const std::string& heading, const std::string& explanation,
                         const std::string& chart, const std::string& missing) {
  if (chart.empty()) return data.classes.empty() ? "" : missing;
  return "<h3>" + heading + "</h3>\n<p>" + explanation + "</p>\n" + chart;
}

}  // namespace

std::string analysis_section(const ReportData& data) {
  std::string out = "<h2 id=\"analysis\">Analysis</h2>\n" + recall_part(data) + true_labels_part(data);
  const auto accuracy = [](const ReportClass& c) {
    return c.accuracy ? std::optional(100 * *c.accuracy) : std::nullopt;
  };
  out += scatter_part(data, "Classification accuracy",
                      "Of the proposals that lie on an object of the class (IoU 0.5 or more), the percentage whose "
                      "highest class score is that class's; background aside.",
                      class_scatter(data, "accuracy of every class", "percent", accuracy),
                      command_note("The classes' accuracy", kAnalyse));
  out += scatter_part(
      data, "Weight norms of the classifier",
      "Euclidean norm of each class's row of the last layer; of the calibrated head where that scores the class.",
      class_scatter(
          data, "weight norm of every class", "norm", [](const ReportClass& c) { return c.weight_norm; }, false, 3),
      command_note("The weight norms", kAnalyse));
  return out + gradients_section(data);
}

}  // namespace tailseg
