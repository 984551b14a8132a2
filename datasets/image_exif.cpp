// TIFF 6.0 section 2: header (byte order, 42, offset of the first directory); a directory is a count and entries of
// 12 bytes: tag, type, count, value.
#include "datasets/image_exif.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "tensor/error.h"

namespace tailseg {
namespace {

class TiffReader {
 public:
  explicit TiffReader(std::span<const uint8_t> bytes) : bytes_(bytes) {
    if (bytes.size() < 8) return;
    big_endian_ = bytes[0] == 'M' && bytes[1] == 'M';
    valid_ = (big_endian_ || (bytes[0] == 'I' && bytes[1] == 'I')) && number(2, 2) == 42;
  }
  bool valid() const { return valid_; }
  size_t size() const { return bytes_.size(); }

  // Unsigned integer of `width` bytes at `at`; the caller has checked the bounds.
  uint32_t number(size_t at, size_t width) const {
    uint32_t value = 0;
    for (size_t i = 0; i < width; ++i) value = value << 8 | bytes_[at + (big_endian_ ? i : width - 1 - i)];
    return value;
  }

 private:
  std::span<const uint8_t> bytes_;
  bool big_endian_ = false;
  bool valid_ = false;
};

}  // namespace

int exif_orientation(std::span<const uint8_t> tiff) {
  constexpr size_t kEntry = 12;
  constexpr uint32_t kOrientationTag = 0x0112, kShort = 3, kLong = 4;
  const TiffReader reader(tiff);
  if (!reader.valid()) return 1;
  const size_t directory = reader.number(4, 4);
  if (directory > reader.size() || reader.size() - directory < 2) return 1;
  const size_t fitting = (reader.size() - directory - 2) / kEntry;
  const size_t entries = std::min<size_t>(reader.number(directory, 2), fitting);
  for (size_t i = 0; i < entries; ++i) {
    const size_t entry = directory + 2 + i * kEntry;
    if (reader.number(entry, 2) != kOrientationTag) continue;
    const uint32_t type = reader.number(entry + 2, 2);
    if (reader.number(entry + 4, 4) != 1 || (type != kShort && type != kLong)) return 1;
    const uint32_t value = reader.number(entry + 8, type == kShort ? 2 : 4);
    return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

Image apply_orientation(Image image, int orientation) {
  TS_CHECK(orientation >= 1 && orientation <= 8, "EXIF orientation is ", orientation, ", expected 1 to 8");
  if (orientation == 1) return image;
  const bool transposed = orientation >= 5;
  const bool mirror_x = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool mirror_y = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  Image turned(transposed ? image.height : image.width, transposed ? image.width : image.height);
  for (int64_t y = 0; y < turned.height; ++y) {
    uint8_t* out = turned.row(y);
    for (int64_t x = 0; x < turned.width; ++x) {
      int64_t from_x = transposed ? y : x;
      int64_t from_y = transposed ? x : y;
      if (mirror_x) from_x = image.width - 1 - from_x;
      if (mirror_y) from_y = image.height - 1 - from_y;
      std::memcpy(out + x * 3, image.row(from_y) + from_x * 3, 3);
    }
  }
  return turned;
}

}  // namespace tailseg
