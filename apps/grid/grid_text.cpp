// A grid's table for a terminal, and as JSON.
#include <rapidjson/prettywriter.h>
#include <rapidjson/stringbuffer.h>

#include <algorithm>

#include "apps/grid/tables.h"
#include "apps/report/html.h"

namespace tailseg {
namespace {

constexpr size_t kColumn = 12;

std::string padded(const std::string& text, size_t width, bool right) {
  const std::string space(width > text.size() ? width - text.size() : 0, ' ');
  return right ? space + text : text + space;
}

std::string result_line(const CellResult& result, size_t first_column) {
  std::string line =
      padded(result.cell->method, first_column, false) + padded(std::to_string(result.seeds.size()), 6, true);
  for (const char* name : kGridFigures) {
    const auto figure = result.figure(name);
    std::string text = figure ? fixed_text(100 * figure->mean, 1) : "-";
    if (figure && figure->spread) text += " +-" + padded(fixed_text(100 * *figure->spread, 1), 4, true);
    line += padded(text, kColumn, true);
  }
  return line;
}

std::string published_line(const GridCell& cell, size_t first_column) {
  std::string line = padded("  published, LVIS", first_column, false) + padded("", 6, true);
  for (const char* name : kGridFigures) {
    const auto found = cell.published.find(name);
    const std::string text = found == cell.published.end() ? "" : fixed_text(found->second, 1);
    line += padded(text, kColumn, true);
  }
  return line + "   " + cell.published_row;
}

using Writer = rapidjson::PrettyWriter<rapidjson::StringBuffer>;

void write_figures(Writer& out, const CellResult& result) {
  for (const char* name : kGridFigures) {
    const auto figure = result.figure(name);
    if (!figure) continue;
    out.Key(name);
    out.StartObject();
    out.Key("mean");
    out.Double(figure->mean);
    out.Key("spread");
    figure->spread ? out.Double(*figure->spread) : out.Null();
    out.EndObject();
  }
}

void write_published(Writer& out, const GridCell& cell) {
  if (cell.published.empty()) return;
  out.Key("published");
  out.StartObject();
  out.Key("row");
  out.String(cell.published_row.c_str());
  for (const auto& [name, value] : cell.published) {
    out.Key(name.c_str());
    out.Double(value / 100);
  }
  out.EndObject();
}

}  // namespace

std::string grid_text(const Grid& grid, const std::vector<CellResult>& results) {
  size_t first = 24;
  for (const CellResult& result : results) first = std::max(first, result.cell->method.size() + 2);
  std::string out = padded("method", first, false) + padded("seeds", 6, true);
  for (const char* name : kGridFigures) out += padded(name, kColumn, true);
  out += "\n";
  for (const CellResult& result : results) {
    out += result_line(result, first) + "\n";
    if (!result.cell->published.empty()) out += published_line(*result.cell, first) + "\n";
  }
  out += "\n" + group_sizes(results) + "\n\n";
  for (const JudgedClaim& judged : judge(grid, results)) {
    out += padded(verdict_text(judged.verdict), 19, false) + judged.claim->text;
    out += judged.numbers.empty() ? "\n" : " (" + judged.numbers + ")\n";
  }
  return out;
}

std::string grid_json(const std::vector<CellResult>& results) {
  rapidjson::StringBuffer buffer;
  Writer out(buffer);
  out.SetIndent(' ', 1);
  out.StartArray();
  for (const CellResult& result : results) {
    out.StartObject();
    for (const auto& [key, value] : {std::pair<const char*, const std::string&>{"cell", result.cell->name},
                                     {"method", result.cell->method},
                                     {"config", result.cell->config}}) {
      out.Key(key);
      out.String(value.c_str());
    }
    out.Key("seeds");
    out.StartArray();
    for (const int64_t seed : result.seeds) out.Int64(seed);
    out.EndArray();
    write_figures(out, result);
    write_published(out, *result.cell);
    out.EndObject();
  }
  out.EndArray();
  return std::string(buffer.GetString(), buffer.GetSize()) + "\n";
}

}  // namespace tailseg
