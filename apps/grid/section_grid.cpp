// A grid's table, charts and claims on a report's page.
#include <algorithm>

#include "apps/grid/tables.h"
#include "apps/report/html.h"
#include "apps/report/plot.h"

namespace tailseg {
namespace {

constexpr int kRow = 26, kLeft = 300, kRight = 720, kWide = 780, kTop = 30;

double largest(const std::vector<CellResult>& results, const std::string& name) {
  double most = 0.01;
  for (const CellResult& result : results) {
    const auto figure = result.figure(name);
    if (figure) most = std::max(most, figure->mean + figure->spread.value_or(0));
  }
  return most;
}

// One bar a cell, and a whisker of one spread to each side of its end.
std::string bars(const std::vector<CellResult>& results, const std::string& name, const std::string& colour) {
  PlotAxis axis{0, 100 * largest(results, name), false, name};
  axis.settle();
  const auto x = [&](double value) { return fixed_text(kLeft + (kRight - kLeft) * axis.share(value), 1); };
  const int height = kTop + kRow * static_cast<int>(results.size()) + 24;
  std::string svg = "<svg class=\"plot bars\" viewBox=\"0 0 " + std::to_string(kWide) + " " + std::to_string(height) +
                    "\" role=\"img\" aria-label=\"" + name + "\"><text class=\"title\" x=\"10\" y=\"18\">" + name +
                    " (masks), mean over seeds; whisker: one spread</text>";
  for (const double tick : axis.ticks()) {
    svg += "<path class=\"grid\" d=\"M" + x(tick) + " " + std::to_string(kTop) + "V" + std::to_string(height - 20) +
           "\"/><text class=\"tick mid\" x=\"" + x(tick) + "\" y=\"" + std::to_string(height - 6) + "\">" +
           short_text(tick) + "</text>";
  }
  for (size_t i = 0; i < results.size(); ++i) {
    const int top = kTop + kRow * static_cast<int>(i);
    const std::string middle = std::to_string(top + kRow / 2);
    svg += "<text class=\"tick end\" x=\"" + std::to_string(kLeft - 8) + "\" y=\"" + std::to_string(top + 17) + "\">" +
           html_text(results[i].cell->method) + "</text>";
    const auto figure = results[i].figure(name);
    if (!figure) continue;
    const double mean = 100 * figure->mean, spread = 100 * figure->spread.value_or(0);
    svg += "<rect class=\"" + colour + "\" x=\"" + std::to_string(kLeft) + "\" y=\"" + std::to_string(top + 4) +
           "\" width=\"" + fixed_text((kRight - kLeft) * axis.share(mean), 1) + "\" height=\"" +
           std::to_string(kRow - 8) + "\"/>";
    if (spread > 0) {
      svg += "<path class=\"whisker\" d=\"M" + x(std::max(0.0, mean - spread)) + " " + middle + "H" + x(mean + spread) +
             "\"/>";
    }
    svg += "<text class=\"tick\" x=\"" + fixed_text(kLeft + (kRight - kLeft) * axis.share(mean + spread) + 6, 1) +
           "\" y=\"" + std::to_string(top + 17) + "\">" + fixed_text(mean, 1) + "</text>";
  }
  return svg + "</svg>\n";
}

std::string table(const std::vector<CellResult>& results) {
  std::string out = "<div class=\"scroll whole\"><table id=\"grid-table\"><thead><tr><th>method</th><th>seeds</th>";
  for (const char* name : kGridFigures) out += std::string("<th>") + name + "</th>";
  out += "<th>published in</th></tr></thead><tbody>\n";
  for (const CellResult& result : results) {
    out += "<tr><td>" + html_text(result.cell->method) + "</td><td>" + std::to_string(result.seeds.size()) + "</td>";
    for (const char* name : kGridFigures) {
      const auto figure = result.figure(name);
      out += "<td>" + (figure ? fixed_text(100 * figure->mean, 1) : std::string());
      if (figure && figure->spread) out += " <small>&plusmn; " + fixed_text(100 * *figure->spread, 1) + "</small>";
      out += "</td>";
    }
    out += "<td></td></tr>\n";
    if (result.cell->published.empty()) continue;
    out += "<tr class=\"published\"><td>published, on LVIS</td><td></td>";
    for (const char* name : kGridFigures) {
      const auto found = result.cell->published.find(name);
      out += "<td>" + (found == result.cell->published.end() ? std::string() : fixed_text(found->second, 1)) + "</td>";
    }
    out += "<td>" + html_text(result.cell->published_row) + "</td></tr>\n";
  }
  return out + "</tbody></table></div>\n";
}

}  // namespace

std::string grid_section(const Grid& grid, const std::vector<CellResult>& results) {
  std::string out =
      "<h2 id=\"grid\">The papers' tables</h2>\n<p>In percent, mean and sample standard deviation over the seeds, on "
      "this grid's own data; below each method what its paper reports for LVIS. What can be compared are "
      "differences between methods, not the figures.</p>\n" +
      table(results) + "<p>" + group_sizes(results) + ".</p>\n";
  out +=
      bars(results, "AP", "fx") + bars(results, "APr", "fr") + bars(results, "APc", "fc") + bars(results, "APf", "ff");
  out +=
      "<h2 id=\"claims\">What the papers claim</h2>\n<div class=\"scroll\"><table id=\"claim-table\"><thead><tr><th>"
      "claim</th><th>here</th><th>figures</th></tr></thead><tbody>\n";
  for (const JudgedClaim& judged : judge(grid, results)) {
    out += "<tr><td>" + html_text(judged.claim->text) + "</td><td>" + verdict_text(judged.verdict) + "</td><td>" +
           html_text(judged.numbers) + "</td></tr>\n";
  }
  return out + "</tbody></table></div>\n";
}

}  // namespace tailseg
