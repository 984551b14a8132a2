// A small font of strokes, drawn at any size without a font file: lower and upper case, digits and ASCII punctuation.
// Accented Latin letters (names in LVIS have some) are shown without their accent, other characters as a question mark.
#pragma once

#include <string>
#include <string_view>

#include "apps/picture/canvas.h"

namespace tailseg {

struct TextStyle {
  double size = 10;      // height of a capital letter in pixels
  double weight = 0.14;  // stroke thickness as a share of the size
  Colour colour{255, 255, 255};
  double opacity = 1;
};

// Room that the text takes: from its first to its last stroke, strokes' thickness included.
double text_width(std::string_view text, const TextStyle& style);
double text_ascent(const TextStyle& style);   // from the baseline up, brackets included
double text_descent(const TextStyle& style);  // from the baseline down, g and y included

// Draws with the first stroke's left edge at x and the baseline at y.
void draw_text(Image& image, double x, double y, std::string_view text, const TextStyle& style);

// UTF-8 to the characters that the font has.
std::string plain_text(std::string_view utf8);

}  // namespace tailseg
