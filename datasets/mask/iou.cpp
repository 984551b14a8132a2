#include "datasets/mask/iou.h"

#include <algorithm>

namespace tailseg {

double box_iou(const Box& d, const Box& g, bool crowd) {
  const double width = std::min(d[0] + d[2], g[0] + g[2]) - std::max(d[0], g[0]);
  if (width <= 0) return 0;
  const double height = std::min(d[1] + d[3], g[1] + g[3]) - std::max(d[1], g[1]);
  if (height <= 0) return 0;
  const double both = width * height, area = d[2] * d[3];
  return both / (crowd ? area : area + g[2] * g[3] - both);
}

double mask_iou(const MeasuredMask& d, const MeasuredMask& g, bool crowd) {
  if (!(box_iou(d.box, g.box, crowd) > 0)) return 0;
  const int64_t both = rle_intersection(d.rle, g.rle);
  if (both == 0) return 0;
  return static_cast<double>(both) / static_cast<double>(crowd ? d.area : d.area + g.area - both);
}

}  // namespace tailseg
