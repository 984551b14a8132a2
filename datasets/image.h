// One picture in memory: 8-bit RGB, rows from top to bottom, pixels from left to right, channels innermost.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tailseg {

struct Image {
  int64_t width = 0;
  int64_t height = 0;
  std::vector<uint8_t> pixels;  // [height, width, 3]

  Image() = default;
  Image(int64_t w, int64_t h) : width(w), height(h), pixels(static_cast<size_t>(w * h * 3)) {}

  uint8_t* row(int64_t y) { return pixels.data() + y * width * 3; }
  const uint8_t* row(int64_t y) const { return pixels.data() + y * width * 3; }
  bool operator==(const Image&) const = default;
};

}  // namespace tailseg
