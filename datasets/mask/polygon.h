// Polygons to masks, bit for bit as the COCO API rasterises them (maskApi, METHODS 8.5).
//
// The rule. Vertices go to a grid five times as fine: X = trunc(5 x + 0.5). Each edge is the digital line that visits
// every fine column (flat edges) or fine row (steep edges) from its lower end; the other coordinate is
// trunc(start + slope * t + 0.5). A pixel column c is crossed where the line steps between the fine columns 5c + 2 and
// 5c + 3, the two around the column's centre; the smaller fine row of the two, brought back to pixels, clamped to
// [0, h] and rounded up, is the row at which inside and outside change. All changes of all edges, sorted, are the runs'
// ends; two at one place cancel: even-odd filling.
//
// The reference visits every fine point; here each edge computes its crossings directly (the same expressions at the
// same points), so the cost is the number of pixel columns an edge spans, not five times its length.
#pragma once

#include <span>

#include "datasets/mask/rle.h"

namespace tailseg {

// Coordinates beyond this (in pixels) are refused: five times as much must fit an int.
constexpr double kLargestCoordinate = 1e8;

// One polygon x0, y0, x1, y1, ... as a mask of height x width. Holes: see above, even-odd.
// Errors: an odd count of coordinates, fewer than three points, a coordinate that is not finite or too large.
Rle polygon_to_rle(std::span<const double> coordinates, int32_t height, int32_t width);

// Box x, y, width, height as the polygon of its four corners.
Rle box_to_rle(const std::array<double, 4>& box, int32_t height, int32_t width);

}  // namespace tailseg
