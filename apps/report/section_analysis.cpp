// Where a detector loses its rare classes: proposals, classification, the classifier's norms, the gradients it got.
#include <algorithm>
#include <cmath>

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

// The geometric mean of the classes' ratios in a frequency group, at every record.
ReportSeries group_ratio(const ReportRun& run, char group) {
  ReportSeries series;
  for (size_t t = 0; t < run.gradients->iterations.size(); ++t) {
    const std::vector<double>&positive = run.gradients->positives[t], &negative = run.gradients->negatives[t];
    double sum = 0;
    int64_t count = 0;
    for (size_t label = 0; label < positive.size() && label < run.classes.size(); ++label) {
      if (run.classes[label].frequency != group || !(positive[label] > 0) || !(negative[label] > 0)) continue;
      sum += std::log(positive[label] / negative[label]);
      ++count;
    }
    if (count) {
      series.emplace_back(static_cast<double>(run.gradients->iterations[t]),
                          std::exp(sum / static_cast<double>(count)));
    }
  }
  return series;
}

struct RatioLine {
  size_t run;
  char group;
  ReportSeries points;
};

std::string ratio_curves(const ReportData& data) {
  PlotAxis x{INFINITY, -INFINITY, false, "step"}, y{INFINITY, -INFINITY, true, "positive / negative"};
  std::vector<RatioLine> lines;
  for (size_t i = 0; i < data.runs.size(); ++i) {
    const ReportRun& run = data.runs[i];
    if (!run.gradients || run.gradients->positives.empty()) continue;
    if (run.gradients->positives[0].size() != run.classes.size()) continue;
    for (const char group : {'r', 'c', 'f'}) {
      ReportSeries points = thinned(group_ratio(run, group), kMostCurvePoints);
      for (const auto& [at, value] : points) {
        x.low = std::min(x.low, at);
        x.high = std::max(x.high, at);
        y.low = std::min(y.low, value);
        y.high = std::max(y.high, value);
      }
      if (!points.empty()) lines.push_back({i, group, std::move(points)});
    }
  }
  if (lines.empty()) return "";
  Plot plot(960, 300, x, y, "geometric means over rare, common and frequent classes during training");
  for (const RatioLine& line : lines) {
    const std::string number = std::to_string(line.run);
    plot.line(line.points,
              "dash-" + std::to_string(line.run % 6) + " run-" + number + " " + frequency_class(line.group),
              data.runs[line.run].label + ", " + frequency_name(line.group));
  }
  return plot.svg();
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
      data, "Weight norms of the classifier", "Euclidean norm of each class's row of the last layer.",
      class_scatter(
          data, "weight norm of every class", "norm", [](const ReportClass& c) { return c.weight_norm; }, false, 3),
      command_note("The weight norms", kAnalyse));
  const std::string explanation =
      "Sum of the absolute gradients that reached a class's logit from its own RoIs, over that from all others, "
      "accumulated from the first step (EQL v2, figure 1).";
  out += scatter_part(data, "Positive against negative gradients", explanation,
                      class_scatter(
                          data, "positive / negative gradient of every class", "ratio",
                          [](const ReportClass& c) { return c.gradient_ratio; }, true),
                      command_note("The classes' gradients", "tailseg-train --set train.gradients_every=500"));
  return out + ratio_curves(data);
}

}  // namespace tailseg
