#include "apps/report/report_data.h"

#include <algorithm>
#include <cmath>

#include "apps/report/html.h"

namespace tailseg {
namespace {

constexpr int kWide = 960, kHigh = 420;
constexpr double kBinsADecade = 4;

struct ClassPoint {
  size_t row;
  double instances, value;
};

std::vector<ClassPoint> points_of(const ReportData& data, size_t run, const ClassValue& value, bool above_zero) {
  std::vector<ClassPoint> points;
  for (size_t i = 0; i < data.classes.size(); ++i) {
    const ReportRow& row = data.classes[i];
    if (!row.of_run[run] || !row.train_instances) continue;
    const auto number = value(*row.of_run[run]);
    if (!number || !std::isfinite(*number) || (above_zero && *number <= 0)) continue;
    // A class without a training instance has no place on a logarithmic axis: it stands at its edge.
    points.push_back({i, std::max(1.0, static_cast<double>(*row.train_instances)), *number});
  }
  return points;
}

// The mean of the points of every quarter of a decade, at their mean place.
std::vector<std::pair<double, double>> binned_means(const std::vector<ClassPoint>& points) {
  struct Sums {
    double place = 0, value = 0, count = 0;
  };
  std::map<int, Sums> bins;
  for (const ClassPoint& point : points) {
    const double place = std::log10(point.instances);
    Sums& bin = bins[static_cast<int>(std::floor(place * kBinsADecade))];
    bin.place += place;
    bin.value += point.value;
    bin.count += 1;
  }
  std::vector<std::pair<double, double>> means;
  for (const auto& [index, bin] : bins)
    means.emplace_back(std::pow(10.0, bin.place / bin.count), bin.value / bin.count);
  return means;
}

}  // namespace

ReportData join_runs(std::vector<ReportRun> runs) {
  ReportData data;
  data.runs = std::move(runs);
  name_runs(data.runs);
  const size_t count = data.runs.size();
  std::map<std::pair<int64_t, std::string>, ReportRow> rows;
  bool masks = false, any = false;
  for (size_t i = 0; i < count; ++i) {
    masks = masks || data.runs[i].figures.count("segm") > 0;
    any = any || data.runs[i].has_metrics;
    for (const ReportClass& entry : data.runs[i].classes) {
      ReportRow& row = rows[{entry.id, entry.name}];
      row.id = entry.id;
      row.name = entry.name;
      row.of_run.resize(count);
      row.of_run[i] = &entry;
      if (!row.frequency) row.frequency = entry.frequency;
      if (!row.train_instances) row.train_instances = entry.train_instances;
    }
  }
  data.type = masks || !any ? "segm" : "bbox";
  for (auto& [key, row] : rows) data.classes.push_back(std::move(row));
  std::stable_sort(data.classes.begin(), data.classes.end(), [](const ReportRow& a, const ReportRow& b) {
    return a.train_instances.value_or(-1) > b.train_instances.value_or(-1);
  });
  if (data.classes.size() > kMostClassPoints) data.classes.resize(kMostClassPoints);
  data.class_runs = std::min(count, kMostClassPoints / std::max<size_t>(data.classes.size(), 1));
  return data;
}

std::string frequency_class(char frequency) { return std::string("f") + (frequency ? frequency : 'x'); }

const char* frequency_name(char frequency) {
  if (frequency == 'r') return "rare";
  if (frequency == 'c') return "common";
  return frequency == 'f' ? "frequent" : "unknown";
}

ClassValue class_ap(const std::string& type) {
  return [type](const ReportClass& entry) -> std::optional<double> {
    const auto found = entry.ap.find(type);
    return found == entry.ap.end() ? std::optional<double>() : 100 * found->second;
  };
}

std::string note(const std::string& text) { return "<p class=\"note\">" + text + "</p>\n"; }

std::string notes_on_missing_metrics(const ReportData& data) {
  std::string out;
  for (const ReportRun& run : data.runs) {
    if (run.has_metrics) continue;
    const std::string folder = html_text(run.folder);
    out += note(html_text(run.label) + ": evaluation/metrics.json not found; <code>tailseg-evaluate --checkpoint " +
                folder + " --output " + folder + "/evaluation</code> writes it");
  }
  return out;
}

std::string class_scatter(const ReportData& data, const std::string& title, const std::string& y_label,
                          const ClassValue& value, bool logarithmic, int digits) {
  std::vector<std::vector<ClassPoint>> all;
  PlotAxis x{INFINITY, -INFINITY, true, "training instances of the class"};
  PlotAxis y{INFINITY, -INFINITY, logarithmic, y_label};
  for (size_t run = 0; run < data.class_runs; ++run) {
    all.push_back(points_of(data, run, value, logarithmic));
    for (const ClassPoint& point : all.back()) {
      x.low = std::min(x.low, point.instances);
      x.high = std::max(x.high, point.instances);
      y.low = std::min(y.low, point.value);
      y.high = std::max(y.high, point.value);
    }
  }
  if (!(x.low <= x.high)) return "";
  if (!logarithmic) y.low = std::min(y.low, 0.0);
  Plot plot(kWide, kHigh, x, y, title);
  for (size_t run = 0; run < all.size(); ++run) {
    const std::string number = std::to_string(run), mark = "<use href=\"#m" + std::to_string(run % 6) + "\" x=\"";
    std::string marks = "<g class=\"run-" + number + "\" data-r=\"" + number + "\">";
    for (const ClassPoint& point : all[run]) {
      marks += mark + plot.x_text(point.instances) + "\" y=\"" + plot.y_text(point.value) + "\" class=\"" +
               frequency_class(data.classes[point.row].frequency) + "\" data-c=\"" + std::to_string(point.row) +
               "\" data-v=\"" + (logarithmic ? short_text(point.value) : fixed_text(point.value, digits)) + "\"/>";
    }
    plot.add(marks + "</g>");
    plot.line(binned_means(all[run]), "mean run-" + number, data.runs[run].label + ", mean");
  }
  return plot.svg();
}

}  // namespace tailseg
