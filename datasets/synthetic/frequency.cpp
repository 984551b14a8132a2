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
  const size_t classes = weights.size();
  TS_CHECK(classes >= 1 && total >= static_cast<int64_t>(classes), total, " objects cannot show ", classes,
           " classes; ask for more images or fewer classes");
  double left_weight = 0;
  for (const double weight : weights) {
    TS_CHECK(std::isfinite(weight) && weight >= 0, "the weight of a class is ", weight, ", expected >= 0");
    left_weight += weight;
  }
  TS_CHECK(left_weight > 0, "the weights of all classes are 0");
  // From the rarest up: whoever's share of what is left is below 1 gets 1, and the rest share what then is left.
  std::vector<size_t> ascending(classes);
  std::iota(ascending.begin(), ascending.end(), size_t{0});
  std::stable_sort(ascending.begin(), ascending.end(), [&](size_t a, size_t b) { return weights[a] < weights[b]; });
  std::vector<int64_t> counts(classes, 1);
  int64_t left = total;
  size_t first = 0;
  for (; first < classes && weights[ascending[first]] * static_cast<double>(left) < left_weight; ++first, --left) {
    left_weight -= weights[ascending[first]];
  }
  std::vector<std::pair<double, size_t>> remainders;
  int64_t given = 0;
  for (size_t i = first; i < classes; ++i) {
    const size_t k = ascending[i];
    const double exact = weights[k] / left_weight * static_cast<double>(left);
    counts[k] = static_cast<int64_t>(exact);
    given += counts[k];
    remainders.emplace_back(static_cast<double>(counts[k]) - exact, k);  // ascending: the largest remainder first
  }
  std::stable_sort(remainders.begin(), remainders.end());
  for (size_t i = 0; given < left; ++given, i = (i + 1) % remainders.size()) ++counts[remainders[i].second];
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
  const auto last_of = [&](size_t begin,
                           double share) {  // the largest count among this share of the classes from begin on
    const auto number = static_cast<size_t>(std::lround(static_cast<double>(image_counts.size() - begin) * share));
    return number == 0 ? int64_t{0} : image_counts[begin + number - 1];
  };
  FrequencyThresholds thresholds;
  thresholds.rare = last_of(0, 337.0 / 1203);
  const auto above = std::upper_bound(image_counts.begin(), image_counts.end(), thresholds.rare);  // ties are rare too
  const auto begin = static_cast<size_t>(above - image_counts.begin());
  thresholds.common = std::max(thresholds.rare, last_of(begin, 461.0 / (461 + 405)));
  return thresholds;
}

}  // namespace tailseg::synthetic
