// How hard the classes were pushed up and down: EQL v2's figure 1 as points, as a course and as a map.
#include <algorithm>
#include <cmath>

#include "apps/report/html.h"
#include "apps/report/sections.h"

namespace tailseg {
namespace {

constexpr size_t kMapColumns = 120, kMapRows = 40, kMostMaps = 4;
constexpr int kShades = 9;           // of the map, CSS classes g0 (negative wins) to g8
constexpr double kShadeWidth = 0.5;  // decades of the ratio; the middle one is around 1

// Whether every column of the record is a class of the evaluation.
bool fits(const ReportRun& run) {
  return run.gradients && !run.gradients->positives.empty() && run.gradients->positives[0].size() == run.classes.size();
}

// Mean of log10 (positive / negative) over some labels at one record; nothing when none of them has both.
std::optional<double> mean_log_ratio(const ReportGradients& gradients, size_t record,
                                     const std::vector<size_t>& labels) {
  double sum = 0;
  int64_t count = 0;
  for (const size_t label : labels) {
    const double positive = gradients.positives[record][label], negative = gradients.negatives[record][label];
    if (!(positive > 0) || !(negative > 0) || !std::isfinite(positive) || !std::isfinite(negative)) continue;
    sum += std::log10(positive / negative);
    ++count;
  }
  return count ? std::optional<double>(sum / static_cast<double>(count)) : std::nullopt;
}

struct RatioLine {
  size_t run;
  char group;
  ReportSeries points;
};

std::vector<RatioLine> ratio_lines(const ReportData& data) {
  std::vector<RatioLine> lines;
  for (size_t i = 0; i < data.runs.size(); ++i) {
    const ReportRun& run = data.runs[i];
    if (!fits(run)) continue;
    for (const char group : {'r', 'c', 'f'}) {
      std::vector<size_t> labels;
      for (size_t label = 0; label < run.classes.size(); ++label) {
        if (run.classes[label].frequency == group) labels.push_back(label);
      }
      ReportSeries points;
      for (size_t t = 0; t < run.gradients->iterations.size(); ++t) {
        const auto ratio = mean_log_ratio(*run.gradients, t, labels);
        if (ratio) points.emplace_back(static_cast<double>(run.gradients->iterations[t]), std::pow(10.0, *ratio));
      }
      if (!points.empty()) lines.push_back({i, group, thinned(points, kMostCurvePoints)});
    }
  }
  return lines;
}

std::string ratio_curves(const ReportData& data) {
  const std::vector<RatioLine> lines = ratio_lines(data);
  if (lines.empty()) return "";
  PlotAxis x{INFINITY, -INFINITY, false, "step"}, y{INFINITY, -INFINITY, true, "positive / negative"};
  for (const RatioLine& line : lines) {
    for (const auto& [at, value] : line.points) {
      x.low = std::min(x.low, at);
      x.high = std::max(x.high, at);
      y.low = std::min(y.low, value);
      y.high = std::max(y.high, value);
    }
  }
  Plot plot(960, 300, x, y, "geometric means over rare, common and frequent classes during training");
  for (const RatioLine& line : lines) {
    const std::string number = std::to_string(line.run);
    plot.line(line.points,
              "dash-" + std::to_string(line.run % 6) + " run-" + number + " " + frequency_class(line.group),
              data.runs[line.run].label + ", " + frequency_name(line.group));
  }
  return plot.svg();
}

// Labels of a run, most frequent class first.
std::vector<size_t> by_instances(const ReportRun& run) {
  std::vector<size_t> labels(run.classes.size());
  for (size_t i = 0; i < labels.size(); ++i) labels[i] = i;
  std::stable_sort(labels.begin(), labels.end(), [&](size_t a, size_t b) {
    return run.classes[a].train_instances.value_or(-1) > run.classes[b].train_instances.value_or(-1);
  });
  return labels;
}

// x: classes, y: steps, shade: the ratio. Neighbouring cells of one shade are one rectangle.
std::string ratio_map(const ReportRun& run, const std::string& number) {
  const ReportGradients& gradients = *run.gradients;
  const std::vector<size_t> order = by_instances(run);
  const size_t columns = std::min(order.size(), kMapColumns), records = gradients.iterations.size();
  const size_t rows = std::min(records, kMapRows);
  Plot plot(960, 300, {0, static_cast<double>(order.size()), false, "classes, most frequent first", true},
            {0, static_cast<double>(gradients.iterations.back()), false, "step", true}, run.label);
  std::string out = "<g class=\"run-" + number + "\">";
  for (size_t row = 0; row < rows; ++row) {
    const size_t record = (row + 1) * records / rows - 1;
    const double low = row == 0 ? 0 : static_cast<double>(gradients.iterations[row * records / rows - 1]);
    const double top = plot.y(static_cast<double>(gradients.iterations[record])), bottom = plot.y(low);
    int open = -1;
    size_t begin = 0;
    for (size_t column = 0; column <= columns; ++column) {
      int shade = -1;
      if (column < columns) {
        const std::vector<size_t> labels(
            order.begin() + static_cast<std::ptrdiff_t>(column * order.size() / columns),
            order.begin() + static_cast<std::ptrdiff_t>((column + 1) * order.size() / columns));
        const auto ratio = mean_log_ratio(gradients, record, labels);
        if (ratio) {
          shade = std::clamp(static_cast<int>(std::lround(std::clamp(*ratio, -99.0, 99.0) / kShadeWidth)) + kShades / 2,
                             0, kShades - 1);
        }
      }
      if (shade == open) continue;
      const auto edge = [&](size_t at) { return plot.x(static_cast<double>(at * order.size() / columns)); };
      if (open >= 0) {
        out += "<rect x=\"" + fixed_text(edge(begin), 1) + "\" y=\"" + fixed_text(top, 1) + "\" width=\"" +
               fixed_text(edge(column) - edge(begin), 1) + "\" height=\"" + fixed_text(std::max(bottom - top, 0.5), 1) +
               "\" class=\"g" + std::to_string(open) + "\"/>";
      }
      open = shade;
      begin = column;
    }
  }
  plot.add(out + "</g>");
  return plot.svg();
}

std::string ratio_maps(const ReportData& data) {
  std::string out;
  size_t drawn = 0;
  for (size_t i = 0; i < data.runs.size() && drawn < kMostMaps; ++i) {
    if (!fits(data.runs[i]) || data.runs[i].classes.empty()) continue;
    out += ratio_map(data.runs[i], std::to_string(i));
    ++drawn;
  }
  if (out.empty()) return "";
  std::string scale = "<p class=\"scale\">positive / negative: ";
  for (int shade = 0; shade < kShades; ++shade) {
    scale += "<svg viewBox=\"0 0 14 12\"><rect width=\"14\" height=\"12\" class=\"g" + std::to_string(shade) +
             "\"/></svg> " +
             (shade == 0             ? "below "
              : shade == kShades - 1 ? "above "
                                     : "") +
             short_text(std::pow(10.0, (shade - kShades / 2 +
                                        (shade == 0             ? 0.5
                                         : shade == kShades - 1 ? -0.5
                                                                : 0)) *
                                           kShadeWidth)) +
             " ";
  }
  return scale + "</p>\n" + out;
}

}  // namespace

std::string gradients_section(const ReportData& data) {
  if (data.classes.empty()) return "";
  std::string out;
  for (const ReportRun& run : data.runs) {
    if (!run.gradients || run.gradients->positives.empty() || fits(run)) continue;
    out += note(html_text(run.label) + ": class_gradients.safetensors has " +
                std::to_string(run.gradients->positives[0].size()) + " classes, the evaluation " +
                std::to_string(run.classes.size()) + "; it is left out");
  }
  const std::string chart = class_scatter(
      data, "positive / negative gradient of every class", "ratio",
      [](const ReportClass& c) { return c.gradient_ratio; }, true);
  if (chart.empty()) {
    return out + note(
                     "The classes' gradients not found; <code>tailseg-train --set train.gradients_every=500</code> "
                     "writes them");
  }
  return out +
         "<h3>Positive against negative gradients</h3>\n<p>Sum of the absolute gradients that reached a class's logit "
         "from its own RoIs, over that from all others, accumulated since the run began to record them (EQL v2, figure "
         "1).</p>\n" +
         chart + ratio_curves(data) + ratio_maps(data);
}

}  // namespace tailseg
