// Outlines from a font's glyphs, through FreeType: a font is a file from outside, and its tables point into each other
// and at themselves.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "datasets/synthetic/outline.h"

namespace tailseg::synthetic {

class Font {
 public:
  // Throws Error, starting with the file's name, for what is missing, no font, damaged, or has no Unicode map or no
  // outlines; and in a build without FreeType. A collection gives its first font.
  explicit Font(const std::string& path);
  Font(std::vector<uint8_t> bytes, const std::string& path);  // of `path`, for messages
  ~Font();

  // Up to `count` visible glyphs of different shape, in the order of their code points, letters and digits first. Each
  // is centred and scaled into the unit circle and named by its code point, "U+0041". Throws Error for a damaged glyph.
  std::vector<Outline> outlines(int64_t count) const;

 private:
  struct Face;
  std::unique_ptr<Face> face_;
};

}  // namespace tailseg::synthetic
