#include "apps/picture/contact_sheet.h"

#include <algorithm>
#include <cmath>

#include "apps/picture/canvas.h"
#include "apps/picture/stroke_font.h"
#include "datasets/image_resize.h"
#include "tensor/error.h"

namespace tailseg {
namespace {

constexpr int64_t kGap = 12;
constexpr Colour kPaper{250, 250, 250}, kInk{40, 40, 40};

Image scaled(const Image& image, int64_t width) {
  TS_CHECK(image.width > 0 && image.height > 0, "contact sheet: a picture is empty");
  if (image.width == width) return image;
  const auto height = int64_t(std::lround(double(image.height) * double(width) / double(image.width)));
  Image result(width, std::max<int64_t>(1, height));
  RowResizer resizer;
  resizer.start(image, result.width, result.height, Resampler::kPillowTriangle);
  for (int64_t y = 0; y < result.height; ++y) resizer.row(y, result.row(y));
  return result;
}

// The text, cut with dots to the width.
std::string fitted(const std::string& text, const TextStyle& style, double width) {
  if (text_width(text, style) <= width) return text;
  std::string plain = plain_text(text);
  while (!plain.empty() && text_width(plain + "...", style) > width) plain.pop_back();
  return plain + "...";
}

}  // namespace

Image contact_sheet(const std::vector<std::string>& columns, const std::vector<SheetRow>& rows, int64_t cell_width) {
  TS_CHECK(!columns.empty() && !rows.empty() && cell_width > 0, "contact sheet: nothing to show");
  TextStyle style;
  style.size = std::clamp(double(cell_width) / 36, 9.0, 16.0);
  style.colour = kInk;
  const auto text_height = int64_t(std::ceil(text_ascent(style) + text_descent(style)));
  const bool captions = std::any_of(columns.begin(), columns.end(), [](const auto& name) { return !name.empty(); });
  int64_t height = kGap + (captions ? text_height + kGap : 0);
  std::vector<std::vector<Image>> cells;
  std::vector<int64_t> row_heights;
  for (const SheetRow& row : rows) {
    TS_CHECK(row.pictures.size() <= columns.size(), "contact sheet: row '", row.name, "' has ", row.pictures.size(),
             " pictures for ", columns.size(), " columns");
    int64_t highest = 0;
    cells.emplace_back();
    for (const Image& picture : row.pictures) {
      cells.back().push_back(scaled(picture, cell_width));
      highest = std::max(highest, cells.back().back().height);
    }
    row_heights.push_back(highest);
    height += highest + (row.name.empty() ? 0 : text_height + kGap / 2) + kGap;
  }

  const auto count = int64_t(columns.size());
  Image sheet(count * cell_width + (count + 1) * kGap, height);
  fill_rectangle(sheet, 0, 0, double(sheet.width), double(sheet.height), kPaper, 1);
  const auto column_x = [&](int64_t column) { return kGap + column * (cell_width + kGap); };
  int64_t y = kGap;
  if (captions) {
    for (int64_t column = 0; column < count; ++column) {
      const std::string caption = fitted(columns[size_t(column)], style, double(cell_width));
      const double room = double(cell_width) - text_width(caption, style);
      draw_text(sheet, double(column_x(column)) + room / 2, double(y) + text_ascent(style), caption, style);
    }
    y += text_height + kGap;
  }
  for (size_t row = 0; row < rows.size(); ++row) {
    for (size_t column = 0; column < cells[row].size(); ++column) {
      paste(sheet, cells[row][column], column_x(int64_t(column)), y);
    }
    y += row_heights[row];
    if (!rows[row].name.empty()) {
      const std::string name = fitted(rows[row].name, style, double(sheet.width - 2 * kGap));
      draw_text(sheet, kGap, double(y) + kGap / 2.0 + text_ascent(style), name, style);
      y += text_height + kGap / 2;
    }
    y += kGap;
  }
  return sheet;
}

}  // namespace tailseg
