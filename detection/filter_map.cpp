#include "detection/filter_map.h"

namespace tailseg {

Tensor FilterMap::on_device(Context& ctx) const {
  return of_class.empty() ? Tensor() : Tensor::from(ctx, {static_cast<int64_t>(of_class.size())}, of_class);
}

FilterMap make_filter_map(const char* what, int64_t classes, const FilterSharing& sharing,
                          const ClassStatistics& statistics) {
  TS_CHECK(!sharing.all || sharing.below <= 0, what,
           ": class-agnostic shares one set of filters among all classes; a limit below which the tail shares one has "
           "no meaning beside it");
  if (sharing.all) return {1, {}};
  if (sharing.below <= 0) return {classes, {}};
  const std::vector<int64_t>& counts = sharing.count_instances ? statistics.instances : statistics.images;
  const char* counted = sharing.count_instances ? "instances" : "images";
  TS_CHECK(static_cast<int64_t>(counts.size()) == classes, what, ": classes of fewer than ", sharing.below,
           " training ", counted, " share filters, but the ", counted, " of ", counts.size(),
           " classes are known, not of ", classes,
           "; they come from the training set, or from a checkpoint of tailseg-train");
  FilterMap map;
  for (const int64_t count : counts) {
    map.of_class.push_back(count < sharing.below ? -1 : static_cast<int32_t>(map.filters++));
  }
  const auto shared = static_cast<int32_t>(map.filters);
  bool any = false;
  for (int32_t& filter : map.of_class) {
    if (filter >= 0) continue;
    filter = shared;
    any = true;
  }
  map.filters += any;
  return map;
}

}  // namespace tailseg
