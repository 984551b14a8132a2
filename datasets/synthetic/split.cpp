#include "datasets/synthetic/split.h"

#include <algorithm>
#include <numeric>

namespace tailseg::synthetic {
namespace {

RandomKey objects_key(const DatasetConfig& config) { return {config.seed, random_purpose("synthetic objects")}; }

std::vector<int32_t> draw_object_numbers(int64_t images, int64_t most, RandomKey key, uint32_t split) {
  RandomStream random(key, split, 0);
  std::vector<int32_t> numbers(static_cast<size_t>(images));
  for (int32_t& n : numbers) n = 1 + static_cast<int32_t>(random.below(static_cast<uint32_t>(most)));
  return numbers;
}

// A class of few objects must not lose one to an overfull picture: such objects are placed before all others.
void place_rare_first(Split& split, const std::vector<int64_t>& counts) {
  constexpr int64_t kFew = 5;
  for (auto& classes : split.wanted) {
    std::stable_partition(classes.begin(), classes.end(), [&](int32_t c) { return counts[c] <= kFew; });
  }
}

}  // namespace

std::vector<double> class_weights(const DatasetConfig& config, const ClassList& list) {
  std::vector<double> weights;
  for (const SyntheticClass& c : list.classes) weights.push_back(c.weight);
  if (!config.categories.empty()) return weights;
  const auto classes = static_cast<int64_t>(list.classes.size());
  if (config.power >= 0) return power_law(classes, config.power);
  const auto objects = draw_object_numbers(config.train_images, config.most_objects, objects_key(config), kTrain);
  constexpr double kMargin = 1.1;  // chance must not narrow the range below what was asked for
  return power_law(classes, power_for_range(classes, config.range * kMargin, objects));
}

Split plan_split(const DatasetConfig& config, const std::vector<double>& weights, uint32_t number, int64_t images) {
  Split split;
  split.number = number;
  split.name = number == kTrain ? "train" : "val";
  split.first_image_id = number == kTrain ? 1 : config.train_images + 1;
  const RandomKey key = objects_key(config);
  const std::vector<int32_t> objects = draw_object_numbers(images, config.most_objects, key, number);
  const int64_t total = std::accumulate(objects.begin(), objects.end(), int64_t{0});
  std::vector<double> shares = weights;
  if (number == kVal && config.balanced_val) std::fill(shares.begin(), shares.end(), 1.0);
  std::vector<int64_t> counts(shares.size(), 0);
  if (number == kTrain || total >= static_cast<int64_t>(shares.size())) {
    counts = proportional_counts(shares, total);
  } else {
    std::vector<int32_t> lots(shares.size());
    std::iota(lots.begin(), lots.end(), 0);
    shuffle(lots.data(), lots.size(), RandomStream(key, number, 1));
    for (int64_t i = 0; i < total; ++i) counts[lots[i]] = 1;
  }
  split.wanted = deal(counts, objects, RandomStream(key, number, 2));
  place_rare_first(split, counts);
  split.images.resize(split.wanted.size());
  return split;
}

}  // namespace tailseg::synthetic
