#include "datasets/synthetic/frequency.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tensor/error.h"

namespace tailseg::synthetic {

std::vector<double> power_law(int64_t classes, double power) {
  TS_CHECK(classes >= 1 && std::isfinite(power) && power >= 0, "a power law for ", classes, " classes with power ",
           power, "; expected at least one class and a power >= 0");
  const double shift = std::max(1.0, static_cast<double>(classes) / 8);
  std::vector<double> weights(static_cast<size_t>(classes));
  for (int64_t k = 0; k < classes; ++k) weights[k] = std::pow(static_cast<double>(k) / shift + 1, -power);
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  for (double& weight : weights) weight /= sum;
  return weights;
}

double power_for_range(int64_t classes, double range, std::span<const int32_t> objects) {
  TS_CHECK(std::isfinite(range) && range >= 1, "the range of class frequencies is ", range, ", expected at least 1");
  std::vector<int64_t> pictures_with;  // by number of objects
  for (const int32_t n : objects) {
    if (static_cast<size_t>(n) >= pictures_with.size()) pictures_with.resize(static_cast<size_t>(n) + 1, 0);
    ++pictures_with[n];
  }
  const auto expected_pictures = [&](double share) {  // with at least one object of a class of this share
    double sum = 0;
    for (size_t n = 0; n < pictures_with.size(); ++n) {
      sum += static_cast<double>(pictures_with[n]) * (1 - std::pow(1 - share, static_cast<double>(n)));
    }
    return sum;
  };
  const auto range_of = [&](double power) {
    const std::vector<double> weights = power_law(classes, power);
    return expected_pictures(weights.front()) / expected_pictures(weights.back());
  };
  double low = 0, high = 1;
  while (classes > 1 && !objects.empty() && range_of(high) < range && high < 64) high *= 2;
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2;
    (range_of(middle) < range ? low : high) = middle;
  }
  return high;
}

std::vector<int64_t> proportional_counts(std::span<const double> weights, int64_t total) {
  const auto classes = static_cast<int64_t>(weights.size());
  TS_CHECK(classes >= 1 && total >= classes, total, " objects cannot show ", classes,
           " classes; ask for more images or fewer classes");
  double sum = 0;
  for (const double weight : weights) {
    TS_CHECK(std::isfinite(weight) && weight >= 0, "the weight of a class is ", weight, ", expected >= 0");
    sum += weight;
  }
  TS_CHECK(sum > 0, "the weights of all classes are 0");
  std::vector<int64_t> counts(weights.size()), by_remainder(weights.size());
  std::vector<double> remainder(weights.size());
  int64_t given = 0;
  for (size_t k = 0; k < weights.size(); ++k) {
    const double exact = weights[k] / sum * static_cast<double>(total);
    counts[k] = std::max<int64_t>(1, static_cast<int64_t>(exact));
    remainder[k] = exact - static_cast<double>(counts[k]);
    given += counts[k];
    by_remainder[k] = static_cast<int64_t>(k);
  }
  std::stable_sort(by_remainder.begin(), by_remainder.end(),
                   [&](auto a, auto b) { return remainder[a] > remainder[b]; });
  for (size_t i = 0; given < total; ++given, i = (i + 1) % counts.size()) ++counts[by_remainder[i]];
  while (given > total) {
    --*std::max_element(counts.begin(), counts.end());
    --given;
  }
  return counts;
}

std::vector<std::vector<int32_t>> deal(std::span<const int64_t> counts, std::span<const int32_t> objects,
                                       RandomStream random) {
  std::vector<int32_t> pack;
  for (size_t k = 0; k < counts.size(); ++k)
    pack.insert(pack.end(), static_cast<size_t>(counts[k]), static_cast<int32_t>(k));
  shuffle(pack.data(), pack.size(), random);
  std::vector<std::vector<int32_t>> hands;
  size_t at = 0;
  for (const int32_t n : objects) {
    TS_CHECK(at + static_cast<size_t>(n) <= pack.size(), "dealing ", pack.size(),
             " objects to pictures that hold more");
    hands.emplace_back(pack.begin() + static_cast<std::ptrdiff_t>(at),
                       pack.begin() + static_cast<std::ptrdiff_t>(at) + n);
    at += static_cast<size_t>(n);
  }
  TS_CHECK(at == pack.size(), "dealing ", pack.size(), " objects to pictures that hold ", at);
  return hands;
}

char frequency_letter(int64_t image_count, FrequencyThresholds thresholds) {
  if (image_count <= thresholds.rare) return 'r';
  return image_count <= thresholds.common ? 'c' : 'f';
}

FrequencyThresholds thresholds_like_lvis(std::vector<int64_t> image_counts) {
  TS_CHECK(!image_counts.empty(), "frequency thresholds need at least one class");
  std::sort(image_counts.begin(), image_counts.end());
  const auto classes = static_cast<double>(image_counts.size());
  const auto last_of = [&](double share) {  // the largest count among the rarest `share` of the classes
    const auto number = static_cast<int64_t>(std::lround(classes * share));
    return number == 0 ? int64_t{0} : image_counts[static_cast<size_t>(number - 1)];
  };
  return {last_of(337.0 / 1203), last_of((337.0 + 461.0) / 1203)};
}

}  // namespace tailseg::synthetic
