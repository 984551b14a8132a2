#include "apps/grid/grid.h"

#include <rapidjson/document.h>
#include <rapidjson/error/en.h>

#include <algorithm>

#include "datasets/json/mapped_text.h"
#include "tensor/error.h"

namespace tailseg {
namespace {

using rapidjson::Value;

constexpr unsigned kStrict = rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag;

bool is_figure(const std::string& name) {
  return std::find(std::begin(kGridFigures), std::end(kGridFigures), name) != std::end(kGridFigures);
}

std::string text_in(const Value& object, const char* name, const std::string& where) {
  const auto found = object.FindMember(name);
  TS_CHECK(found != object.MemberEnd() && found->value.IsString(), where, ": has no text '", name, "'");
  return {found->value.GetString(), found->value.GetStringLength()};
}

// Items of the list `name`, each an object.
std::vector<const Value*> objects_in(const Value& object, const char* name, const std::string& path) {
  const auto found = object.FindMember(name);
  TS_CHECK(found != object.MemberEnd() && found->value.IsArray(), path, ": has no list '", name, "'");
  std::vector<const Value*> items;
  for (const Value& item : found->value.GetArray()) {
    TS_CHECK(item.IsObject(), path, ": ", name, "[", items.size(), "]: expected an object");
    items.push_back(&item);
  }
  return items;
}

GridCell read_cell(const Value& object, const std::string& where) {
  GridCell cell;
  cell.name = text_in(object, "cell", where);
  TS_CHECK(!cell.name.empty() && cell.name.find('/') == std::string::npos && cell.name[0] != '.', where, ": '",
           cell.name, "' is not the name of a folder");
  cell.method = text_in(object, "method", where);
  cell.config = text_in(object, "config", where);
  const auto published = object.FindMember("published");
  if (published == object.MemberEnd()) return cell;
  TS_CHECK(published->value.IsObject(), where, ": published: expected an object");
  cell.published_row = text_in(published->value, "row", where + ": published");
  for (const auto& [key, value] : published->value.GetObject()) {
    const std::string name(key.GetString(), key.GetStringLength());
    if (name == "row") continue;
    TS_CHECK(is_figure(name), where, ": published: '", name, "' is no figure of the table");
    TS_CHECK(value.IsNumber() && value.GetDouble() >= 0 && value.GetDouble() <= 100, where, ": published: '", name,
             "': expected a percentage");
    cell.published[name] = value.GetDouble();
  }
  return cell;
}

GridClaim read_claim(const Grid& grid, const Value& object, const std::string& where) {
  GridClaim claim;
  claim.text = text_in(object, "text", where);
  claim.figure = text_in(object, "figure", where);
  TS_CHECK(is_figure(claim.figure), where, ": '", claim.figure, "' is no figure of the table");
  const std::string kind = text_in(object, "kind", where);
  if (kind == "above") {
    claim.kind = ClaimKind::above;
  } else if (kind == "not_below") {
    claim.kind = ClaimKind::not_below;
  } else if (kind == "gives_back") {
    claim.kind = ClaimKind::gives_back;
  } else {
    fail(where, ": kind '", kind, "', expected above, not_below or gives_back");
  }
  const auto cell_in = [&](const char* name) {
    const std::string cell = text_in(object, name, where);
    TS_CHECK(grid.find(cell), where, ": ", name, " is '", cell, "', which is no cell of this grid");
    return cell;
  };
  claim.cell = cell_in("cell");
  claim.than = cell_in("than");
  if (claim.kind == ClaimKind::gives_back) claim.from = cell_in("from");
  return claim;
}

}  // namespace

const GridCell* Grid::find(const std::string& name) const {
  const auto found = std::find_if(cells.begin(), cells.end(), [&](const GridCell& cell) { return cell.name == name; });
  return found == cells.end() ? nullptr : &*found;
}

Grid read_grid(const std::string& path) {
  const MappedText file(path);
  rapidjson::Document document;
  document.Parse<kStrict>(file.text().data(), file.text().size());
  TS_CHECK(!document.HasParseError(), path, ": malformed JSON at byte ", document.GetErrorOffset(), ": ",
           rapidjson::GetParseError_En(document.GetParseError()));
  TS_CHECK(document.IsObject(), path, ": expected an object with \"cells\" and \"claims\"");
  Grid grid;
  for (const Value* item : objects_in(document, "cells", path)) {
    const std::string where = path + ": cells[" + std::to_string(grid.cells.size()) + "]";
    GridCell cell = read_cell(*item, where);
    TS_CHECK(!grid.find(cell.name), where, ": a second cell '", cell.name, "'");
    grid.cells.push_back(std::move(cell));
  }
  TS_CHECK(!grid.cells.empty(), path, ": has no cells");
  for (const Value* item : objects_in(document, "claims", path)) {
    grid.claims.push_back(read_claim(grid, *item, path + ": claims[" + std::to_string(grid.claims.size()) + "]"));
  }
  return grid;
}

}  // namespace tailseg
