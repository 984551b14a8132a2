// Outlines: what the classes of a synthetic set look like, as closed curves.
//
// Coordinates: x to the right, y down, roughly within the unit circle. A point is inside when the curves wind around it
// (non-zero rule), so a hole is a curve that runs the other way round.
#pragma once

#include <cstdint>
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

}  // namespace tailseg::synthetic
