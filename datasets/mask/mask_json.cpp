#include "datasets/mask/mask_json.h"

#include "datasets/mask/rle.h"
#include "tensor/error.h"

namespace tailseg {

MaskValue::MaskValue() : JsonValue("polygons or an RLE object"), polygon_(mask), counts_(mask) {
  rle_.add("size", size_, true);
  rle_.add("counts", counts_, true);
}

void MaskValue::reset() {
  mask.form = ParsedMask::Form::kNone;
  mask.coordinates.clear();
  mask.polygon_end.clear();
}

void MaskValue::begin_array() { mask.form = ParsedMask::Form::kPolygons; }

void MaskValue::begin_object() { rle_.begin_object(); }

void MaskValue::end_object() {
  rle_.end_object();
  mask.size = size_.values;
}

void MaskValue::Polygon::begin_array() {
  if (open_) refuse("a list in a list");
  open_ = true;
}

void MaskValue::Polygon::number(double v) {
  if (!open_) refuse("a number");
  mask_.coordinates.push_back(v);
}

void MaskValue::Polygon::end_array() {
  open_ = false;
  mask_.polygon_end.push_back(mask_.coordinates.size());
}

void MaskValue::Counts::string(std::string_view v) {
  mask_.form = ParsedMask::Form::kText;
  mask_.text = v;
}

void MaskValue::Counts::end_array() {
  list_.end_array();
  mask_.form = ParsedMask::Form::kCounts;
  mask_.counts = list_.values;
}

void read_runs(const ParsedMask& mask, std::vector<uint32_t>& counts) {
  TS_CHECK(mask.size.size() == 2, "RLE: size has ", mask.size.size(), " numbers, expected height and width");
  for (const int64_t side : mask.size) TS_CHECK(side > 0 && side <= INT32_MAX, "RLE: size has a side of ", side);
  const size_t first = counts.size();
  if (mask.form == ParsedMask::Form::kText) {
    rle_from_string(mask.text, counts);
  } else {
    for (const int64_t run : mask.counts) {
      TS_CHECK(run >= 0 && run <= UINT32_MAX, "RLE: a run has length ", run);
      counts.push_back(static_cast<uint32_t>(run));
    }
  }
  check_rle({static_cast<int32_t>(mask.size[0]), static_cast<int32_t>(mask.size[1]), std::span(counts).subspan(first)});
}

void check_mask_size(const ParsedMask& mask, int32_t image_height, int32_t image_width) {
  TS_CHECK(mask.size.size() == 2 && mask.size[0] == image_height && mask.size[1] == image_width, "RLE: size is [",
           mask.size.empty() ? 0 : mask.size[0], ", ", mask.size.size() < 2 ? 0 : mask.size[1],
           "], its image has height ", image_height, " and width ", image_width);
}

}  // namespace tailseg
