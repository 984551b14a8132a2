// Where names go in a picture: beside their boxes, inside the picture, and not on each other as far as there is room.
#pragma once

#include <vector>

namespace tailseg {

struct LabelRequest {
  double x1, y1, x2, y2;  // the box that is named
  double width, height;   // of the name's plate
};

struct LabelPlace {
  double x, y;  // left upper corner of the plate
};

// In the order of the requests: the first of the candidate places (above the left corner, inside it, below the box, at
// the other corners) that overlaps no earlier plate, else the one that overlaps least.
std::vector<LabelPlace> place_labels(const std::vector<LabelRequest>& requests, double width, double height);

}  // namespace tailseg
