// Many pictures on one page: a row an image (photo | ground truth | prediction), a caption above each column, a name
// below each row.
#pragma once

#include <string>
#include <vector>

#include "datasets/image.h"

namespace tailseg {

struct SheetRow {
  std::string name;
  std::vector<Image> pictures;  // fewer than columns: the rest of the row stays empty
};

// Every picture is scaled to the width of a cell, its shape kept; a row is as high as its highest picture. Throws Error
// for an empty sheet, an empty picture or a row that is longer than `columns`.
Image contact_sheet(const std::vector<std::string>& columns, const std::vector<SheetRow>& rows,
                    int64_t cell_width = 480);

}  // namespace tailseg
