// Which filters of a box or mask predictor serve which class: each class its own (class-wise), one set for all
// (class-agnostic), or the combination that SimCal names and leaves for later (ECCV 2020): one
// set for all classes of the tail, and one each for the others. Filters of the head's classes come first, in the
// classes' order; the tail's is the last.
#pragma once

#include <vector>

#include "detection/losses/class_loss.h"

namespace tailseg {

struct FilterSharing {
  bool all = false;   // class-agnostic
  int64_t below = 0;  // classes with fewer training images (or instances) than this share a set; 0: none
  bool count_instances = false;
};

struct FilterMap {
  int64_t filters = 0;            // sets
  std::vector<int32_t> of_class;  // [classes]; empty: class k has filters k, or there is one set

  Tensor on_device(Context& ctx) const;  // of_class as int32, undefined when that is empty
};

// Throws Error when `below` asks for counts that `statistics` lacks; `what` names the predictor in it.
FilterMap make_filter_map(const char* what, int64_t classes, const FilterSharing& sharing,
                          const ClassStatistics& statistics);

}  // namespace tailseg
