// A TrueType font: its tables, its map and every glyph that the map names for the first code points.
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "datasets/synthetic/truetype.h"
#include "tensor/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const tailseg::synthetic::TrueTypeFont font({data, data + size}, "fuzz");
    for (uint32_t code = 0; code < 128; ++code) {
      try {
        for (const auto& contour : font.contours(font.glyph_of(code))) {
          if (contour.empty()) __builtin_trap();
          for (const auto& p : contour) {
            if (!std::isfinite(p.x) || !std::isfinite(p.y)) __builtin_trap();
          }
        }
      } catch (const tailseg::Error&) {  // one damaged glyph; the others are read all the same
      }
    }
  } catch (const tailseg::Error&) {
  }
  return 0;
}
