#include "datasets/sampler.h"

#include <algorithm>

#include "tensor/error.h"
#include "tensor/philox.h"

namespace tailseg {
namespace {

void check_order(const std::vector<int32_t>& images, int64_t batch_size) {
  TS_CHECK(!images.empty(), "sampling: there is no photo to draw from; are there annotations in the set?");
  TS_CHECK(batch_size >= 1, "sampling: batch size ", batch_size, ", expected at least 1");
}

EpochOrder every_epoch(std::vector<int32_t> images) {
  return [images = std::move(images)](int64_t) { return Epoch{images, {}}; };
}

// Shuffled, then padded with random draws to a multiple of batch_size.
std::vector<int32_t> shuffled_batches(std::vector<int32_t> images, int64_t batch_size, RandomKey key, uint32_t epoch,
                                      uint32_t group) {
  if (images.empty()) return images;
  shuffle(images.data(), images.size(), RandomStream(key, epoch, group));
  const auto own = static_cast<uint32_t>(images.size());
  RandomStream extra({key.seed, random_purpose("sampler padding")}, epoch, group);
  while (images.size() % static_cast<size_t>(batch_size) != 0) images.push_back(images[extra.below(own)]);
  return images;
}

}  // namespace

bool is_drawn_for(const AnnotationSet& set, int32_t annotation, Convention rule) {
  const Annotations& all = set.annotations;
  if (rule == Convention::kMmdetection) return is_training_target(set, annotation);
  if (rule == Convention::kDetectron2) return all.crowd[annotation] == 0;
  return all.box[annotation][2] > 1 && all.box[annotation][3] > 1;
}

std::vector<int32_t> trainable_images(const AnnotationSet& set, Convention rule, bool without_labels) {
  std::vector<int32_t> kept;
  for (int32_t i = 0; i < set.images.size(); ++i) {
    constexpr int32_t kShortestSide = 32;
    if (rule == Convention::kMmdetection && std::min(set.images.width[i], set.images.height[i]) < kShortestSide)
      continue;
    const auto annotations = set.by_image[i];
    const auto counts = [&](int32_t a) { return is_drawn_for(set, a, rule); };
    if (without_labels || std::any_of(annotations.begin(), annotations.end(), counts)) kept.push_back(i);
  }
  return kept;
}

EpochOrder sequential_order(std::vector<int32_t> images) { return every_epoch(std::move(images)); }

EpochOrder random_order(std::vector<int32_t> images, int64_t batch_size, uint64_t seed) {
  check_order(images, batch_size);
  return shuffled(every_epoch(std::move(images)), batch_size, seed);
}

EpochOrder shuffled(EpochOrder images, int64_t batch_size, uint64_t seed) {
  return [images = std::move(images), batch_size, seed](int64_t epoch) {
    const RandomKey key{seed, random_purpose("sampler shuffle")};
    return Epoch{shuffled_batches(images(epoch).images, batch_size, key, static_cast<uint32_t>(epoch), 0), {}};
  };
}

EpochOrder aspect_grouped_order(const Images& sizes, std::vector<int32_t> images, int64_t batch_size, uint64_t seed) {
  check_order(images, batch_size);
  return shuffled_by_aspect(sizes, every_epoch(std::move(images)), batch_size, seed);
}

EpochOrder shuffled_by_aspect(const Images& sizes, EpochOrder images, int64_t batch_size, uint64_t seed) {
  std::vector<uint8_t> wide(sizes.width.size());
  for (size_t i = 0; i < wide.size(); ++i) wide[i] = sizes.width[i] > sizes.height[i];
  return [wide = std::move(wide), images = std::move(images), batch_size, seed](int64_t epoch) {
    std::vector<int32_t> upright, landscape;
    for (const int32_t i : images(epoch).images) (wide[static_cast<size_t>(i)] ? landscape : upright).push_back(i);
    const RandomKey key{seed, random_purpose("sampler shuffle")};
    const auto step = static_cast<uint32_t>(epoch);
    std::vector<int32_t> grouped = shuffled_batches(std::move(upright), batch_size, key, step, 0);
    const std::vector<int32_t> rest = shuffled_batches(std::move(landscape), batch_size, key, step, 1);
    grouped.insert(grouped.end(), rest.begin(), rest.end());
    std::vector<int64_t> batches(grouped.size() / static_cast<size_t>(batch_size));
    for (size_t b = 0; b < batches.size(); ++b) batches[b] = static_cast<int64_t>(b);
    shuffle(batches.data(), batches.size(), RandomStream(key, step, 2));
    Epoch shown;
    shown.images.reserve(grouped.size());
    for (const int64_t b : batches) {
      shown.images.insert(shown.images.end(), grouped.begin() + b * batch_size, grouped.begin() + (b + 1) * batch_size);
    }
    return shown;
  };
}

}  // namespace tailseg
