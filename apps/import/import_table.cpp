// The table that tailseg-import prints: matched, dropped, missing.
#include <algorithm>
#include <iomanip>
#include <map>
#include <sstream>

#include "apps/import/convert.h"

namespace tailseg {
namespace {

size_t widest(const std::vector<ImportRow>& rows, std::string ImportRow::*column) {
  size_t width = 0;
  for (const ImportRow& row : rows) width = std::max(width, (row.*column).size());
  return std::min<size_t>(width, 80);
}

}  // namespace

std::string import_table(const ImportResult& result) {
  std::ostringstream out;
  const int source_width =
      int(std::max(widest(result.matched, &ImportRow::source), widest(result.dropped, &ImportRow::source)));
  const int target_width = int(widest(result.matched, &ImportRow::target));
  out << std::left;
  for (const ImportRow& row : result.matched) {
    out << "matched  " << std::setw(source_width) << (row.source.empty() ? "-" : row.source) << "  ->  "
        << std::setw(target_width) << row.target << "  " << shape_text(row.shape)
        << (row.note.empty() ? "" : "  " + row.note) << "\n";
  }
  std::map<std::string, int> counters;  // one line for all batch counters, of which a ResNet has dozens
  for (const ImportRow& row : result.dropped) {
    if (row.source.ends_with(".num_batches_tracked") && counters[row.note]++ > 0) continue;
    out << "dropped  " << std::setw(source_width) << row.source << "  " << row.note << "\n";
  }
  for (const auto& [note, count] : counters) {
    if (count > 1) out << "dropped  " << count - 1 << " more like it: " << note << "\n";
  }
  for (const ImportRow& row : result.missing) out << "missing  " << row.target << "\n";
  for (const std::string& note : result.notes) out << "note     " << note << "\n";
  out << layout_name(result.layout) << " " << (result.backbone.empty() ? "network" : result.backbone)
      << (result.whole_detector ? " Mask R-CNN: " : " backbone: ") << result.matched.size() << " matched, "
      << result.dropped.size() << " dropped, " << result.missing.size() << " missing\n";
  return out.str();
}

}  // namespace tailseg
