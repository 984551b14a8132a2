// How often each class of a long-tailed set occurs, and in which pictures.
//
// The law is Zipf and Mandelbrot's, weight(k) = (k + shift)^-power for k = 0, 1, ... with shift = classes / 8: a power
// law whose head is not one class alone. The power is found such that the commonest class is in `range` times as many
// pictures as the rarest, given that objects fall on pictures at random.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tensor/philox.h"

namespace tailseg::synthetic {

// Weights of the law for a given power, descending; they sum to 1.
std::vector<double> power_law(int64_t classes, double power);

// The power that makes the range of pictures per class as wide as `range` (>= 1), for pictures with `objects[i]`
// objects.
double power_for_range(int64_t classes, double range, std::span<const int32_t> objects);

// Whole numbers in proportion to the weights that sum to `total`: classes whose share is below 1 have 1, the others
// share the rest in proportion (largest remainders rounded up). Throws Error when total is below the number of classes.
std::vector<int64_t> proportional_counts(std::span<const double> weights, int64_t total);

// Deals classes to pictures: picture i receives objects[i] entries, class k occurs counts[k] times in all, everything
// else is random. Requires: both sums are equal.
std::vector<std::vector<int32_t>> deal(std::span<const int64_t> counts, std::span<const int32_t> objects,
                                       RandomStream random);

// LVIS's three groups by the number of train pictures: 'r' up to rare, 'c' up to common, 'f' above. LVIS has 10 and 100
// for 100,000 pictures.
struct FrequencyThresholds {
  int64_t rare = 10;
  int64_t common = 100;
};
char frequency_letter(int64_t image_count, FrequencyThresholds thresholds);

// Thresholds under which the groups have LVIS v1's shares of the classes: 337 rare, 461 common, 405 frequent of 1203
// (ties with the last rare class are rare as well; the others are then divided 461 to 405).
FrequencyThresholds thresholds_like_lvis(std::vector<int64_t> image_counts);

}  // namespace tailseg::synthetic
