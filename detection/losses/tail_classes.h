// Which classes are the tail: T_j = 1 where f_j < lambda, f_j = training images with class j / training images with any
// annotation (METHODS 1.6). Strictly below.
#pragma once

#include <string>

#include "detection/losses/class_constants.h"
#include "detection/losses/class_loss.h"

namespace tailseg {

struct TailClasses {
  std::string problem;     // why it cannot be told; empty when it can
  ClassConstants is_tail;  // [C] 1 or 0

  TailClasses() = default;
  TailClasses(const ClassStatistics& statistics, double lambda) {
    if (statistics.images.empty() || statistics.annotated_images <= 0) {
      problem = "the training set's images of each class are not known";
      return;
    }
    std::vector<double> tail;
    for (const int64_t images : statistics.images) {
      tail.push_back(double(images) / double(statistics.annotated_images) < lambda ? 1 : 0);
    }
    is_tail = ClassConstants(std::move(tail));
  }
};

}  // namespace tailseg
