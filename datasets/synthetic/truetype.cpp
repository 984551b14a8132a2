#include "datasets/synthetic/truetype.h"

#include <algorithm>

#include "tensor/error.h"

namespace tailseg::synthetic {
namespace {

bool is_tag(const std::vector<uint8_t>& bytes, uint64_t at, const char* tag) {
  return at + 4 <= bytes.size() && std::equal(tag, tag + 4, bytes.begin() + static_cast<ptrdiff_t>(at));
}

}  // namespace

uint64_t TrueTypeFont::number(const Range& table, uint64_t at, int width) const {
  TS_CHECK(at + static_cast<uint64_t>(width) <= table.length, path_, ": the font is damaged: byte ", at,
           " of a table or glyph of ", table.length);
  uint64_t value = 0;
  for (int i = 0; i < width; ++i) value = value << 8 | bytes_[table.begin + at + static_cast<uint64_t>(i)];
  return value;
}

TrueTypeFont::Range TrueTypeFont::required(const char* tag) const {
  for (const auto& [name, range] : tables_) {
    if (name == tag) return range;
  }
  fail(path_, ": the font has no table '", tag, "'");
}

TrueTypeFont::TrueTypeFont(std::vector<uint8_t> bytes, std::string path)
    : bytes_(std::move(bytes)), path_(std::move(path)) {
  read_tables();
  glyphs_ = static_cast<int64_t>(number(required("maxp"), 4, 2));
  wide_ = number(required("head"), 50, 2) != 0;
  places_ = required("loca");
  outlines_ = required("glyf");
  TS_CHECK((static_cast<uint64_t>(glyphs_) + 1) * (wide_ ? 4 : 2) <= places_.length, path_, ": the font names ",
           glyphs_, " glyphs but places fewer");
  choose_map();
}

// 12 bytes with the number of tables at byte 4, then 16 a table: tag, checksum, offset, length. Of two tables of one
// name the first counts.
void TrueTypeFont::read_tables() {
  const Range file{0, bytes_.size()};
  const uint64_t begin = is_tag(bytes_, 0, "ttcf") ? number(file, 12, 4) : 0;
  TS_CHECK(!is_tag(bytes_, begin, "OTTO"), path_,
           ": the font has CFF outlines, which are not read; choose a font with TrueType outlines (.ttf)");
  const bool known = is_tag(bytes_, begin, "true") || is_tag(bytes_, begin, "\0\1\0\0");
  TS_CHECK(known, "reading font ", path_, ": not a TrueType font");
  const uint64_t count = number(file, begin + 4, 2);
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t at = begin + 12 + 16 * i;
    const Range range{number(file, at + 8, 4), number(file, at + 12, 4)};
    TS_CHECK(range.begin + range.length <= bytes_.size(), path_, ": the font is truncated: a table of ", range.length,
             " bytes at byte ", range.begin, ", the file has ", bytes_.size());
    const auto tag = bytes_.begin() + static_cast<ptrdiff_t>(at);
    tables_.emplace_back(std::string(tag, tag + 4), range);
  }
}

// The last Unicode map of a format that is read: 0 and 6 (short lists), 4 (segments), 12 and 13 (groups).
void TrueTypeFont::choose_map() {
  const Range all = required("cmap");
  const uint64_t count = number(all, 2, 2);
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t platform = number(all, 4 + 8 * i, 2), encoding = number(all, 6 + 8 * i, 2);
    if (platform != 0 && !(platform == 3 && (encoding == 1 || encoding == 10))) continue;
    const uint64_t at = number(all, 8 + 8 * i, 4);
    const auto format = static_cast<int64_t>(number(all, at, 2));
    if (format != 0 && format != 4 && format != 6 && format != 12 && format != 13) continue;
    map_ = {all.begin + at, all.length - at};
    format_ = format;
  }
  TS_CHECK(map_.length > 0, path_, ": the font has no Unicode map that is read (cmap formats 0, 4, 6, 12, 13)");
  if (format_ >= 12) {
    TS_CHECK(16 + 12 * number(map_, 12, 4) <= map_.length, path_, ": the font's map is longer than its table");
  }
}

int64_t TrueTypeFont::glyph_of(uint32_t code) const {
  if (format_ == 0) return code < 256 ? static_cast<int64_t>(number(map_, 6 + code, 1)) : 0;
  if (format_ == 4) return glyph_of_segments(code);
  if (format_ >= 12) return glyph_of_groups(code, format_ == 12);
  const uint64_t first = number(map_, 6, 2), count = number(map_, 8, 2);
  return code >= first && code < first + count ? static_cast<int64_t>(number(map_, 10 + 2 * (code - first), 2)) : 0;
}

// Four lists of as many numbers: last codes (rising), first codes, differences, and offsets from their own place.
int64_t TrueTypeFont::glyph_of_segments(uint32_t code) const {
  if (code > 0xFFFF) return 0;
  const uint64_t count = number(map_, 6, 2) / 2;
  uint64_t low = 0, high = count;  // the first segment whose last code is not below
  while (low < high) {
    const uint64_t middle = (low + high) / 2;
    if (number(map_, 14 + 2 * middle, 2) < code) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low == count) return 0;
  const uint64_t first = number(map_, 16 + 2 * (count + low), 2);
  if (code < first) return 0;
  const uint64_t difference = number(map_, 16 + 2 * (2 * count + low), 2), place = 16 + 2 * (3 * count + low);
  const uint64_t offset = number(map_, place, 2);
  if (offset == 0) return static_cast<int64_t>((code + difference) & 0xFFFF);
  const uint64_t glyph = number(map_, place + offset + 2 * (code - first), 2);
  return glyph == 0 ? 0 : static_cast<int64_t>((glyph + difference) & 0xFFFF);
}

// Groups of first code, last code (rising) and glyph: of the first code (`each`) or of all.
int64_t TrueTypeFont::glyph_of_groups(uint32_t code, bool each) const {
  uint64_t low = 0, high = number(map_, 12, 4);
  while (low < high) {
    const uint64_t middle = (low + high) / 2, at = 16 + 12 * middle;
    const uint64_t first = number(map_, at, 4);
    if (code < first) {
      high = middle;
    } else if (code > number(map_, at + 4, 4)) {
      low = middle + 1;
    } else {
      return static_cast<int64_t>(number(map_, at + 8, 4) + (each ? code - first : 0));
    }
  }
  return 0;
}

}  // namespace tailseg::synthetic
