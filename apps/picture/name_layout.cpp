#include "apps/picture/name_layout.h"

#include <algorithm>

namespace tailseg {
namespace {

double overlap(const LabelRequest& a, const LabelPlace& at, const LabelRequest& b, const LabelPlace& there) {
  const double w = std::min(at.x + a.width, there.x + b.width) - std::max(at.x, there.x);
  const double h = std::min(at.y + a.height, there.y + b.height) - std::max(at.y, there.y);
  return w > 0 && h > 0 ? w * h : 0;
}

}  // namespace

std::vector<LabelPlace> place_labels(const std::vector<LabelRequest>& requests, double width, double height) {
  std::vector<LabelPlace> places;
  for (const LabelRequest& r : requests) {
    const double middle = (r.y1 + r.y2 - r.height) / 2;
    const LabelPlace candidates[] = {
        {r.x1, r.y1 - r.height}, {r.x1, r.y1},           {r.x1, r.y2},   {r.x2 - r.width, r.y1 - r.height},
        {r.x1, r.y2 - r.height}, {r.x2 - r.width, r.y2}, {r.x1, middle}, {r.x1, r.y1 - 2 * r.height},
        {r.x1, r.y2 + r.height}};
    LabelPlace best{};
    double least = -1;
    for (const LabelPlace& wanted : candidates) {
      const LabelPlace place{std::clamp(wanted.x, 0.0, std::max(0.0, width - r.width)),
                             std::clamp(wanted.y, 0.0, std::max(0.0, height - r.height))};
      double covered = 0;
      for (size_t i = 0; i < places.size(); ++i) covered += overlap(r, place, requests[i], places[i]);
      if (least >= 0 && covered >= least) continue;
      best = place;
      least = covered;
      if (covered == 0) break;
    }
    places.push_back(best);
  }
  return places;
}

}  // namespace tailseg
