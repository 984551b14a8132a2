// The table that papers print, and the settings in which the runs differ.
#include <algorithm>
#include <set>

#include "apps/report/html.h"
#include "apps/report/sections.h"

namespace tailseg {
namespace {

struct SummaryColumn {
  std::string heading, type, name;
};

std::vector<SummaryColumn> summary_columns(const ReportData& data) {
  std::vector<SummaryColumn> columns;
  for (const char* name : {"AP", "AP50", "AP75", "APr", "APc", "APf", "AP1", "AP2", "AP3", "AP4", "bAP"}) {
    columns.push_back({name, data.type, name});
  }
  if (data.type != "bbox") columns.push_back({"box AP", "bbox", "AP"});
  std::erase_if(columns, [&](const SummaryColumn& column) {
    return std::none_of(data.runs.begin(), data.runs.end(),
                        [&](const ReportRun& run) { return run.figure(column.type, column.name); });
  });
  return columns;
}

std::optional<double> best_of(const ReportData& data, const SummaryColumn& column) {
  std::optional<double> best;
  for (const ReportRun& run : data.runs) {
    const auto value = run.figure(column.type, column.name);
    if (value && (!best || *value > *best)) best = value;
  }
  return best;
}

std::string setting_cell(const ReportRun& run, const std::string& key) {
  const auto found = run.settings.find(key);
  return "<td>" + (found == run.settings.end() ? std::string() : html_text(found->second)) + "</td>";
}

}  // namespace

std::string summary_section(const ReportData& data) {
  std::string out = "<h2 id=\"summary\">Figures</h2>\n";
  const std::vector<SummaryColumn> columns = summary_columns(data);
  if (columns.empty()) return out + notes_on_missing_metrics(data);
  out += std::string("<p>") + (data.type == "bbox" ? "Boxes" : "Masks") +
         ", in percent; AP1 to AP4: classes of few to many training instances; bAP: their mean.</p>\n"
         "<div class=\"scroll\"><table class=\"sortable\" id=\"summary-table\"><thead><tr><th>run</th>";
  for (const SummaryColumn& column : columns) out += "<th>" + column.heading + "</th>";
  out += "</tr></thead><tbody>\n";
  std::vector<std::optional<double>> best;
  for (const SummaryColumn& column : columns) best.push_back(best_of(data, column));
  for (const ReportRun& run : data.runs) {
    out += "<tr><td>" + html_text(run.label) + "</td>";
    for (size_t i = 0; i < columns.size(); ++i) {
      const auto value = run.figure(columns[i].type, columns[i].name);
      if (!value) {
        out += "<td></td>";
        continue;
      }
      const std::string number = fixed_text(100 * *value, 1);
      const bool bold = data.runs.size() > 1 && *value == *best[i];
      out += "<td data-v=\"" + short_text(100 * *value) + "\">" + (bold ? "<b>" + number + "</b>" : number) + "</td>";
    }
    out += "</tr>\n";
  }
  return out + "</tbody></table></div>\n" + notes_on_missing_metrics(data);
}

std::string settings_section(const ReportData& data) {
  std::string out = "<h2 id=\"settings\">Settings</h2>\n";
  std::set<std::string> keys;
  size_t known = 0;
  for (const ReportRun& run : data.runs) {
    for (const auto& [key, value] : run.settings) keys.insert(key);
    known += run.has_settings;
    if (!run.has_settings) {
      out += note(html_text(run.label) + ": config.toml not found; <code>tailseg-train</code> writes it");
    }
  }
  if (known == 0) return out;
  if (known > 1) {
    std::erase_if(keys, [&](const std::string& key) {
      std::set<std::string> values;
      for (const ReportRun& run : data.runs) {
        const auto found = run.settings.find(key);
        if (run.has_settings) values.insert(found == run.settings.end() ? "" : found->second);
      }
      return values.size() == 1;
    });
    if (keys.empty()) return out + "<p>The runs have the same settings.</p>\n";
    out += "<p>The settings in which the runs differ.</p>\n";
  }
  const std::string table = "<div class=\"scroll\"><table id=\"settings-table\"><thead><tr><th>setting</th>";
  out += known > 1 ? table : "<details><summary>All settings</summary>" + table;
  for (const ReportRun& run : data.runs) out += "<th>" + html_text(run.label) + "</th>";
  out += "</tr></thead><tbody>\n";
  for (const std::string& key : keys) {
    out += "<tr><td>" + html_text(key) + "</td>";
    for (const ReportRun& run : data.runs) out += setting_cell(run, key);
    out += "</tr>\n";
  }
  return out + "</tbody></table></div>" + (known > 1 ? "\n" : "</details>\n");
}

}  // namespace tailseg
