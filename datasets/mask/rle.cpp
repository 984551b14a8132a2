#include "datasets/mask/rle.h"

#include <algorithm>

#include "tensor/error.h"

namespace tailseg {

namespace {

int64_t pixel_count(int32_t height, int32_t width) { return static_cast<int64_t>(height) * width; }

// Walks two run lists in step and calls visit(length, value of a, value of b) for every stretch where neither changes.
template <class Visit>
void walk_pair(std::span<const uint32_t> a, std::span<const uint32_t> b, Visit visit) {
  size_t ia = 0, ib = 0;
  uint32_t left_a = 0, left_b = 0;
  for (;;) {
    while (left_a == 0 && ia < a.size()) left_a = a[ia++];
    while (left_b == 0 && ib < b.size()) left_b = b[ib++];
    const uint32_t step = std::min(left_a, left_b);
    if (step == 0) return;
    visit(step, ia % 2 == 0, ib % 2 == 0);  // an even number of runs begun: the current one is foreground
    left_a -= step;
    left_b -= step;
  }
}

void append_run(std::vector<uint32_t>& counts, uint32_t length, bool value) {
  const bool open = !counts.empty() && (counts.size() % 2 == 0) == value;
  if (open) {
    counts.back() += length;
    return;
  }
  if (counts.empty() && value) counts.push_back(0);
  counts.push_back(length);
}

Rle union_of_two(RleView a, RleView b) {
  TS_CHECK(a.height == b.height && a.width == b.width, "union of masks: sizes ", a.height, "x", a.width, " and ",
           b.height, "x", b.width, " differ");
  Rle out{a.height, a.width, {}};
  walk_pair(a.counts, b.counts,
            [&](uint32_t length, bool in_a, bool in_b) { append_run(out.counts, length, in_a || in_b); });
  if (out.counts.empty()) out.counts.push_back(0);
  return out;
}

}  // namespace

void check_rle(RleView rle) {
  TS_CHECK(rle.height >= 0 && rle.width >= 0 && pixel_count(rle.height, rle.width) <= UINT32_MAX, "RLE: a mask of ",
           rle.height, "x", rle.width, " pixels cannot be encoded");
  int64_t sum = 0;
  for (const uint32_t run : rle.counts) sum += run;
  TS_CHECK(sum == pixel_count(rle.height, rle.width), "RLE: the runs cover ", sum, " pixels, a mask of height ",
           rle.height, " and width ", rle.width, " has ", pixel_count(rle.height, rle.width));
}

Rle rle_encode(std::span<const uint8_t> mask, int32_t height, int32_t width) {
  const int64_t pixels = pixel_count(height, width);
  TS_CHECK(height >= 0 && width >= 0 && pixels <= UINT32_MAX && static_cast<int64_t>(mask.size()) == pixels,
           "RLE: encoding ", mask.size(), " bytes as a mask of height ", height, " and width ", width);
  Rle rle{height, width, {}};
  uint32_t run = 0;
  bool value = false;
  for (int64_t x = 0; x < width; ++x) {
    for (int64_t y = 0; y < height; ++y) {
      const bool pixel = mask[y * width + x] != 0;
      if (pixel != value) {
        rle.counts.push_back(run);
        run = 0;
        value = pixel;
      }
      ++run;
    }
  }
  rle.counts.push_back(run);
  return rle;
}

void rle_decode(RleView rle, std::span<uint8_t> mask) {
  check_rle(rle);
  TS_CHECK(static_cast<int64_t>(mask.size()) == pixel_count(rle.height, rle.width), "RLE: decoding a mask of ",
           rle.height, "x", rle.width, " into ", mask.size(), " bytes");
  int64_t x = 0, y = 0;
  bool value = false;
  for (const uint32_t run : rle.counts) {
    for (uint32_t left = run; left > 0; --left) {
      mask[y * rle.width + x] = value;
      if (++y == rle.height) {
        y = 0;
        ++x;
      }
    }
    value = !value;
  }
}

std::string rle_to_string(std::span<const uint32_t> counts) {
  std::string out;
  out.reserve(counts.size() * 2);
  for (size_t i = 0; i < counts.size(); ++i) {
    int64_t left = counts[i];
    if (i > 2) left -= counts[i - 2];
    bool more = true;
    while (more) {
      int64_t group = left & 0x1f;
      left >>= 5;
      more = (group & 0x10) ? left != -1 : left != 0;  // stop when the sign bit alone says the rest
      if (more) group |= 0x20;
      out.push_back(static_cast<char>(group + 48));
    }
  }
  return out;
}

void rle_from_string(std::string_view text, std::vector<uint32_t>& counts) {
  const size_t first = counts.size();
  size_t place = 0;
  while (place < text.size()) {
    uint64_t bits = 0;
    int shift = 0;
    int group = 0x20;
    while (group & 0x20) {
      TS_CHECK(place < text.size(), "RLE: the text ends within a run, after ", text.size(), " characters");
      group = text[place] - 48;
      TS_CHECK(group >= 0 && group < 64, "RLE: character ", place, " (code ", static_cast<int>(text[place]),
               ") is not one of the code");
      TS_CHECK(shift <= 35, "RLE: the run at character ", place, " is longer than any mask");
      bits |= static_cast<uint64_t>(group & 0x1f) << shift;
      shift += 5;
      ++place;
    }
    int64_t run = static_cast<int64_t>(bits);
    if (group & 0x10) run -= int64_t{1} << shift;
    if (counts.size() - first > 2) run += counts[counts.size() - 2];
    TS_CHECK(run >= 0 && run <= UINT32_MAX, "RLE: the run before character ", place, " has length ", run);
    counts.push_back(static_cast<uint32_t>(run));
  }
}

int64_t rle_area(RleView rle) {
  int64_t area = 0;
  for (size_t i = 1; i < rle.counts.size(); i += 2) area += rle.counts[i];
  return area;
}

std::array<double, 4> rle_box(RleView rle) {
  const int64_t height = rle.height;
  if (height <= 0) return {0, 0, 0, 0};
  int64_t left = INT64_MAX, top = INT64_MAX, right = -1, bottom = -1;
  int64_t x = 0, y = 0;  // where the run begins
  for (size_t i = 0; i < rle.counts.size(); ++i) {
    const int64_t run = rle.counts[i];
    const bool one_column = y + run <= height;
    if (i % 2 == 1 && run > 0) {
      left = std::min(left, x);
      right = std::max(right, one_column ? x : x + (y + run - 1) / height);
      top = std::min(top, one_column ? y : 0);
      bottom = std::max(bottom, one_column ? y + run - 1 : height - 1);
    }
    y += run;
    if (y >= height) {  // runs are mostly shorter than a column: this spares the division
      x += y / height;
      y %= height;
    }
  }
  if (right < 0) return {0, 0, 0, 0};
  return {static_cast<double>(left), static_cast<double>(top), static_cast<double>(right - left + 1),
          static_cast<double>(bottom - top + 1)};
}

Rle rle_union(std::span<const Rle> masks) {
  if (masks.empty()) return {0, 0, {0}};
  Rle out = masks[0];
  for (size_t i = 1; i < masks.size(); ++i) out = union_of_two(out, masks[i]);
  return out;
}

int64_t rle_intersection(RleView a, RleView b) {
  int64_t both = 0;
  walk_pair(a.counts, b.counts, [&](uint32_t length, bool in_a, bool in_b) { both += in_a && in_b ? length : 0; });
  return both;
}

}  // namespace tailseg
