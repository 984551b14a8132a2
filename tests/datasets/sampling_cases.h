// Annotation sets and statistics for the samplers' tests.
#pragma once

#include <cmath>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "datasets/annotations.h"
#include "tensor/philox.h"

namespace tailseg {

// One photo for each entry: the labels of its objects. Photos are numbered 10, 20, ... in the file; every third is
// tall. `crowds`: photos whose objects are crowd regions.
inline AnnotationSet sampling_case(const std::vector<std::vector<int>>& photos, int classes,
                                   const std::set<int>& crowds = {}) {
  std::string images, objects, categories;
  int id = 0;
  for (size_t i = 0; i < photos.size(); ++i) {
    const std::string image_id = std::to_string(10 * (i + 1)), size = i % 3 == 2 ? "60" : "90";
    images += (i ? "," : "") + std::string("{\"id\":") + image_id + ",\"width\":" + size +
              ",\"height\":70,\"file_name\":\"" + std::to_string(i) + ".png\"}";
    for (const int label : photos[i]) {
      const bool crowd = crowds.count(static_cast<int>(i)) > 0;
      ++id;
      objects += (id > 1 ? "," : "") + std::string("{\"id\":") + std::to_string(id) + ",\"image_id\":" + image_id +
                 ",\"category_id\":" + std::to_string(label + 1) +
                 ",\"bbox\":[2,3,20,10],\"area\":100,\"iscrowd\":" + (crowd ? "1" : "0") +
                 ",\"segmentation\":[[2,3,22,3,22,13]]}";
    }
  }
  for (int c = 0; c < classes; ++c) {
    categories +=
        (c ? "," : "") + std::string("{\"id\":") + std::to_string(c + 1) + ",\"name\":\"c" + std::to_string(c) + "\"}";
  }
  return parse_annotations(
      "{\"images\":[" + images + "],\"annotations\":[" + objects + "],\"categories\":[" + categories + "]}",
      "case.json");
}

// A long tail: class c is in about one of 2 + c^2 / 4 photos, up to three times; a quarter of the photos are empty.
inline std::vector<std::vector<int>> random_photos(int count, int classes, uint64_t seed) {
  std::vector<std::vector<int>> photos(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) {
    RandomStream draws({seed, random_purpose("sampling case")}, 0, static_cast<uint32_t>(i));
    if (draws.below(4) == 0) continue;
    for (int c = 0; c < classes; ++c) {
      if (draws.below(static_cast<uint32_t>(2 + c * c / 4)) != 0) continue;
      photos[static_cast<size_t>(i)].insert(photos[static_cast<size_t>(i)].end(), 1 + draws.below(3), c);
    }
  }
  return photos;
}

// How often each photo of the set stands in `images`.
inline std::vector<int64_t> times_shown(const std::vector<int32_t>& images, size_t photos) {
  std::vector<int64_t> times(photos, 0);
  for (const int32_t i : images) ++times[static_cast<size_t>(i)];
  return times;
}

// Whether sum (seen - expected)^2 / expected lies within five standard deviations of its mean: k degrees of freedom,
// mean k, variance 2 k (plus a little for small expectations, which stay above 5 in these tests).
inline bool chi_square_fits(const std::vector<double>& seen, const std::vector<double>& expected, double freedom) {
  double sum = 0;
  for (size_t i = 0; i < seen.size(); ++i) {
    sum += (seen[i] - expected[i]) * (seen[i] - expected[i]) / expected[i];
  }
  return std::abs(sum - freedom) < 5 * std::sqrt(2 * freedom) + 5;
}

}  // namespace tailseg
