// Run-length encoded masks, bit for bit as the COCO API has them.
//
// A mask of height h and width w is read column by column (pixel (row y, column x) has index x * h + y) and stored as
// alternating run lengths, zeros first: the first run may be 0, all runs sum to h * w. As text (COCO's "counts"
// string) each run is written as groups of 5 bits, least first, each plus 48 as a character; bit 0x20 says that a
// group follows, bit 0x10 of the last one is the sign. From the fourth run on, the difference to the run two before is
// written. Source: cocodataset/cocoapi, PythonAPI and common/maskApi (METHODS 8.5).
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tailseg {

struct Rle {
  int32_t height = 0, width = 0;
  std::vector<uint32_t> counts;
};

// A mask whose runs lie elsewhere.
struct RleView {
  int32_t height, width;
  std::span<const uint32_t> counts;
  RleView(int32_t h, int32_t w, std::span<const uint32_t> c) : height(h), width(w), counts(c) {}
  RleView(const Rle& rle) : RleView(rle.height, rle.width, rle.counts) {}  // NOLINT: a view of what is there
};

// Errors: a size that is negative or has more than 2^32 - 1 pixels; runs that do not sum to height * width.
void check_rle(RleView rle);

// mask [h, w] row-major, any non-zero byte is foreground.
Rle rle_encode(std::span<const uint8_t> mask, int32_t height, int32_t width);

// Writes 0 and 1 to mask [h, w], row-major. Errors: as check_rle, and a mask of another size.
void rle_decode(RleView rle, std::span<uint8_t> mask);

std::string rle_to_string(std::span<const uint32_t> counts);

// Appends the runs of `text` to `counts`. Errors: a character outside the code, text that ends within a run, a run
// that is negative or above 2^32 - 1.
void rle_from_string(std::string_view text, std::vector<uint32_t>& counts);

int64_t rle_area(RleView rle);  // foreground pixels

// x, y, width, height of the foreground in pixels; all 0 for an empty mask. Like the COCO API, a run that crosses a
// column's end takes the box over the full height.
std::array<double, 4> rle_box(RleView rle);

// Union of masks of one size; of none: an empty mask of size 0. Errors: sizes that differ.
Rle rle_union(std::span<const Rle> masks);

// Pixels in both masks. Requires: equal sizes.
int64_t rle_intersection(RleView a, RleView b);

}  // namespace tailseg
