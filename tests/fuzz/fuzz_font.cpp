// A font: what FreeType makes of it, and every glyph that becomes an outline of a synthetic set.
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "datasets/synthetic/font.h"
#include "tensor/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const tailseg::synthetic::Font font({data, data + size}, "fuzz");
    for (const auto& outline : font.outlines(64)) {
      for (const auto& contour : outline.contours) {
        if (contour.empty()) __builtin_trap();
        for (const auto& p : contour) {
          if (!std::isfinite(p.x) || !std::isfinite(p.y)) __builtin_trap();
        }
      }
    }
  } catch (const tailseg::Error&) {
  }
  return 0;
}
