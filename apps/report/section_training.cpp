// Curves over the steps of training: losses, learning rate, gradient norm, time, and AP where it was measured on the
// way.
#include <algorithm>
#include <cmath>
#include <set>

#include "apps/report/html.h"
#include "apps/report/sections.h"

namespace tailseg {
namespace {

constexpr int kWidth = 470, kHeight = 240;
constexpr size_t kSmoothed = 150;

bool is_loss(const std::string& name) { return name == "total_loss" || name.rfind("loss_", 0) == 0; }

// The highest value that the axis shows: a few spikes must not flatten the rest.
double ceiling_of(std::vector<double> values) {
  const auto place = static_cast<std::ptrdiff_t>(static_cast<double>(values.size() - 1) * 0.99);
  std::nth_element(values.begin(), values.begin() + place, values.end());
  const double most = values[static_cast<size_t>(place)];
  const double top = *std::max_element(values.begin(), values.end());
  return top > 2 * most && most > 0 ? 1.1 * most : top;
}

// Points of one curve.
size_t curve_points(const ReportData& data) {
  size_t curves = 1;
  for (const ReportRun& run : data.runs) curves += run.series.size();
  return std::clamp<size_t>(kMostTrainingPoints / curves, 100, kMostCurvePoints);
}

std::string curves(const ReportData& data, const std::string& name, double scale, bool noisy) {
  PlotAxis x{INFINITY, -INFINITY, false, "step"}, y{INFINITY, -INFINITY, false, ""};
  std::vector<double> values;
  for (const ReportRun& run : data.runs) {
    const auto found = run.series.find(name);
    if (found == run.series.end()) continue;
    for (const auto& [at, value] : found->second) {
      x.low = std::min(x.low, at);
      x.high = std::max(x.high, at);
      values.push_back(value * scale);
    }
  }
  if (values.empty()) return "";
  y.low = *std::min_element(values.begin(), values.end());
  y.low = std::min(y.low, 0.0);
  y.high = ceiling_of(values);
  const size_t most = curve_points(data);
  Plot plot(kWidth, kHeight, x, y, name);
  for (size_t i = 0; i < data.runs.size(); ++i) {
    const auto found = data.runs[i].series.find(name);
    if (found == data.runs[i].series.end()) continue;
    ReportSeries points = found->second;
    for (auto& point : points) point.second *= scale;
    const bool smooth = noisy && points.size() > 2 * kSmoothed;  // then the raw curve stands faintly behind the means
    const std::string classes = "run-" + std::to_string(i);
    plot.line(thinned(points, most), smooth ? "raw " + classes : classes, data.runs[i].label);
    if (smooth) plot.line(smoothed(points, kSmoothed), classes, data.runs[i].label);
  }
  return plot.svg();
}

// Names of a kind that some run has, total_loss before the others.
std::vector<std::string> names_of(const ReportData& data, bool (*wanted)(const std::string&)) {
  std::set<std::string> names;
  for (const ReportRun& run : data.runs) {
    for (const auto& [name, points] : run.series) {
      if (wanted(name)) names.insert(name);
    }
  }
  std::vector<std::string> out(names.begin(), names.end());
  std::stable_partition(out.begin(), out.end(), [](const std::string& name) { return name == "total_loss"; });
  return out;
}

// AP that was measured at least twice in some run.
std::string ap_curves(const ReportData& data) {
  std::string out;
  for (const char* figure : {"AP", "APr", "APc", "APf"}) {
    const std::string name = data.type + "/" + figure;
    const bool curve = std::any_of(data.runs.begin(), data.runs.end(), [&](const ReportRun& run) {
      const auto found = run.series.find(name);
      return found != run.series.end() && found->second.size() > 1;
    });
    if (curve) out += curves(data, name, 100, false);
  }
  return out;
}

}  // namespace

std::string training_section(const ReportData& data) {
  std::string out = "<h2 id=\"training\">Training</h2>\n";
  bool any = false;
  for (const ReportRun& run : data.runs) {
    any = any || run.has_series;
    if (!run.has_series) {
      out += note(html_text(run.label) + ": metrics.jsonl not found; <code>tailseg-train</code> writes it");
    } else if (run.series.empty()) {
      out += note(html_text(run.label) +
                  ": metrics.jsonl has no step yet; <code>tailseg-train</code> writes one every "
                  "train.log_every steps");
    }
  }
  if (!any) return out;
  out += "<div class=\"grid-of-plots\">\n";
  for (const std::string& name : names_of(data, is_loss)) out += curves(data, name, 1, true);
  for (const char* name : {"lr", "grad_norm", "time", "data_time"}) {
    out += curves(data, name, 1, name != std::string_view("lr"));
  }
  return out + ap_curves(data) + "</div>\n";
}

}  // namespace tailseg
