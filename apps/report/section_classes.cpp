// Charts and the table that show every class.
#include <algorithm>
#include <cmath>

#include "apps/report/html.h"
#include "apps/report/sections.h"

namespace tailseg {
namespace {

constexpr int kWide = 960, kHigh = 300;
constexpr size_t kMostComparisons = 6;

struct Bar {
  size_t row;
  double value;
};

// Bars side by side over places 0, 1, 2, ..; from `base` to their values.
std::string bars_plot(const ReportData& data, const std::vector<Bar>& bars, PlotAxis y, double base, int digits,
                      const std::string& title, const std::string& x_label) {
  const auto count = static_cast<double>(bars.size());
  Plot plot(kWide, kHigh, {0, std::max(1.0, count), false, x_label, true}, std::move(y), title);
  const double step = plot.x(1) - plot.x(0), width = std::max(0.6, step * 0.86);
  std::string out = "<g class=\"bars\">";
  for (size_t i = 0; i < bars.size(); ++i) {
    const double from = plot.y(base), to = plot.y(bars[i].value);
    out += "<rect x=\"" + fixed_text(plot.x(static_cast<double>(i)) + (step - width) / 2, 1) + "\" y=\"" +
           fixed_text(std::min(from, to), 1) + "\" width=\"" + fixed_text(width, 1) + "\" height=\"" +
           fixed_text(std::max(std::abs(to - from), 1.0), 1) + "\" class=\"" +
           frequency_class(data.classes[bars[i].row].frequency) + "\" data-c=\"" + std::to_string(bars[i].row) +
           "\" data-v=\"" + fixed_text(bars[i].value, digits) + "\"/>";
  }
  plot.add(out + "</g>");
  return plot.svg();
}

std::vector<Bar> differences(const ReportData& data, size_t first, size_t second) {
  const ClassValue ap = class_ap(data.type);
  std::vector<Bar> bars;
  for (size_t i = 0; i < data.classes.size(); ++i) {
    const auto& of_run = data.classes[i].of_run;
    if (!of_run[first] || !of_run[second]) continue;
    const auto before = ap(*of_run[first]), after = ap(*of_run[second]);
    if (before && after) bars.push_back({i, *after - *before});
  }
  std::stable_sort(bars.begin(), bars.end(), [](const Bar& a, const Bar& b) { return a.value > b.value; });
  return bars;
}

// "rare +3.2 (12 classes), ..."
std::string means_by_group(const ReportData& data, const std::vector<Bar>& bars) {
  std::string out;
  for (const char group : {'r', 'c', 'f'}) {
    double sum = 0;
    int64_t count = 0;
    for (const Bar& bar : bars) {
      if (data.classes[bar.row].frequency != group) continue;
      sum += bar.value;
      ++count;
    }
    if (count == 0) continue;
    const double mean = sum / static_cast<double>(count);
    out += std::string(out.empty() ? "" : ", ") + frequency_name(group) + " " + (mean >= 0 ? "+" : "") +
           fixed_text(mean, 1) + " (" + std::to_string(count) + ")";
  }
  return out;
}

std::string left_out(const ReportData& data) {
  if (data.class_runs >= data.runs.size()) return "";
  return note("Only the first " + std::to_string(data.class_runs) + " of " + std::to_string(data.runs.size()) +
              " runs are drawn class by class, to keep this file small.");
}

bool counts_known(const ReportData& data) {
  return std::any_of(data.classes.begin(), data.classes.end(),
                     [](const ReportRow& row) { return row.train_instances.has_value(); });
}

std::string note_on_counts(const ReportData& data) {
  if (data.classes.empty() || counts_known(data)) return "";
  return note(
      "Training instances of the classes not found in metrics.json; <code>tailseg-evaluate --train-annotations "
      "TRAIN.json --output RUN/evaluation</code> writes them.");
}

std::string cell(const std::optional<double>& value, int digits) {
  if (!value) return "<td></td>";
  return "<td data-v=\"" + short_text(*value) + "\">" + fixed_text(*value, digits) + "</td>";
}

struct Column {
  std::string heading;
  size_t run;
  ClassValue value;
  int digits;
};

// The columns that at least one class fills.
std::vector<Column> columns_of(const ReportData& data) {
  std::vector<Column> columns;
  const bool single = data.runs.size() == 1;
  const auto ap50 = [&](const ReportClass& entry) -> std::optional<double> {
    const auto found = entry.ap50.find(data.type);
    return found == entry.ap50.end() ? std::optional<double>() : 100 * found->second;
  };
  const auto percent_right = [](const ReportClass& entry) -> std::optional<double> {
    return entry.accuracy ? std::optional<double>(100 * *entry.accuracy) : std::nullopt;
  };
  for (size_t run = 0; run < data.class_runs; ++run) {
    const std::string of = single ? "" : " " + data.runs[run].label;
    columns.push_back({"AP" + of, run, class_ap(data.type), 1});
    if (!single) continue;
    columns.push_back({"AP50", run, ap50, 1});
    if (data.type != "bbox") columns.push_back({"box AP", run, class_ap("bbox"), 1});
    columns.push_back({"accuracy", run, percent_right, 1});
    columns.push_back({"weight norm", run, [](const ReportClass& entry) { return entry.weight_norm; }, 3});
  }
  std::erase_if(columns, [&](const Column& column) {
    return std::none_of(data.classes.begin(), data.classes.end(), [&](const ReportRow& row) {
      return row.of_run[column.run] && column.value(*row.of_run[column.run]);
    });
  });
  return columns;
}

}  // namespace

std::string ap_by_instances_section(const ReportData& data) {
  std::string out = "<h2 id=\"ap\">AP by training instances</h2>\n" + notes_on_missing_metrics(data) +
                    note_on_counts(data) + left_out(data);
  const std::string kind = data.type == "bbox" ? "Box AP" : "Mask AP";
  return out + class_scatter(data, kind + " of every class; lines: means over quarters of a decade", "AP",
                             class_ap(data.type));
}

std::string ap_change_section(const ReportData& data) {
  if (data.runs.size() < 2) return "";
  std::string out = "<h2 id=\"change\">Change of AP per class</h2>\n";
  bool any = false;
  const size_t last = std::min(data.runs.size(), kMostComparisons + 1);
  for (size_t run = 1; run < last; ++run) {
    const std::vector<Bar> bars = differences(data, 0, run);
    if (bars.empty()) continue;
    any = true;
    PlotAxis y{std::min(0.0, bars.back().value), std::max(0.0, bars.front().value), false, "change of AP"};
    const std::string name = data.runs[run].label + " minus " + data.runs[0].label;
    const std::string means = means_by_group(data, bars);
    out +=
        bars_plot(data, bars, y, 0, 1, name + (means.empty() ? "" : "; mean: " + means), "classes, best change first");
  }
  if (!any) out += note("The runs have no class in common that both evaluated.");
  if (data.runs.size() > last) {
    out += note("Only the first " + std::to_string(kMostComparisons) + " comparisons with " +
                html_text(data.runs[0].label) + " are drawn.");
  }
  return out;
}

std::string histogram_section(const ReportData& data) {
  std::string out = "<h2 id=\"histogram\">Training instances of the classes</h2>\n";
  std::vector<Bar> bars;
  for (size_t i = 0; i < data.classes.size(); ++i) {
    if (data.classes[i].train_instances) bars.push_back({i, static_cast<double>(*data.classes[i].train_instances)});
  }
  if (bars.empty()) return out + (data.classes.empty() ? notes_on_missing_metrics(data) : note_on_counts(data));
  PlotAxis y{1, std::max(10.0, bars.front().value), true, "training instances"};
  return out + bars_plot(data, bars, y, 1, 0, std::to_string(bars.size()) + " classes", "classes, most frequent first");
}

std::string class_table_section(const ReportData& data) {
  std::string out = "<h2 id=\"classes\">Classes</h2>\n";
  if (data.classes.empty()) return out + notes_on_missing_metrics(data);
  const std::vector<Column> columns = columns_of(data);
  out += left_out(data) +
         "<p>A click on a heading sorts.</p>\n<div class=\"scroll\"><table class=\"sortable\" "
         "id=\"class-table\"><thead><tr><th>class</th><th>id</th><th>group</th><th>training instances</th>";
  for (const Column& column : columns) out += "<th>" + html_text(column.heading) + "</th>";
  out += "</tr></thead><tbody>\n";
  for (const ReportRow& row : data.classes) {
    out += "<tr><td>" + html_text(row.name) + "</td><td data-v=\"" + std::to_string(row.id) + "\">" +
           std::to_string(row.id) + "</td><td class=\"" + frequency_class(row.frequency) + "\">" +
           (row.frequency ? std::string(1, row.frequency) : "") + "</td>";
    out += row.train_instances ? "<td data-v=\"" + std::to_string(*row.train_instances) + "\">" +
                                     std::to_string(*row.train_instances) + "</td>"
                               : "<td></td>";
    for (const Column& column : columns) {
      const ReportClass* entry = row.of_run[column.run];
      out += cell(entry ? column.value(*entry) : std::nullopt, column.digits);
    }
    out += "</tr>\n";
  }
  return out + "</tbody></table></div>\n";
}

}  // namespace tailseg
