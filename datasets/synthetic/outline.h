// Outlines: what the classes of a synthetic set look like, as closed curves.
//
// Coordinates: x to the right, y down, roughly within the unit circle. A point is inside when the curves wind around it
// (non-zero rule), so a hole is a curve that runs the other way round.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace tailseg::synthetic {

struct Point {
  double x = 0, y = 0;
};
using Contour = std::vector<Point>;  // closed: the last point joins the first
struct Outline {
  std::string name;
  std::vector<Contour> contours;
};

// Disc, square, triangle, star, ring, ... : the outlines of `--kind shapes`, in a fixed order.
const std::vector<Outline>& shape_outlines();

// Signed area within the curves (y down: clockwise on screen counts positive). For outlines without self-overlap.
double outline_area(const Outline& outline);

class TrueTypeFont;

// A font with TrueType outlines as a source of outlines.
class Font {
 public:
  explicit Font(const std::string& path);  // throws Error for a file that is missing, no font, or damaged
  ~Font();

  // Up to `count` visible glyphs of different shape, in the order of their code points, letters and digits first. Each
  // is centred and scaled into the unit circle and named by its code point, "U+0041". Throws Error for a damaged glyph.
  std::vector<Outline> outlines(int64_t count) const;

 private:
  std::unique_ptr<TrueTypeFont> font_;
};

}  // namespace tailseg::synthetic
