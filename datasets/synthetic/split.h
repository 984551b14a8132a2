// The plan of a split: how many objects of which classes each picture is to show.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "datasets/synthetic/lvis_file.h"
#include "datasets/synthetic/make_dataset.h"

namespace tailseg::synthetic {

constexpr uint32_t kTrain = 0, kVal = 1;  // part of the key of every draw

struct Split {
  std::string name;
  uint32_t number = kTrain;
  int64_t first_image_id = 1;
  std::vector<std::vector<int32_t>> wanted;  // [images] classes, back to front
  std::vector<LvisImage> images;             // [images] what came of it
};

// The share of each class among the train objects: the category file's, or the power law's.
std::vector<double> class_weights(const DatasetConfig& config, const ClassList& list);

// Train follows the weights; val too, or shows every class equally often (if it is too small to show all, some by lot).
Split plan_split(const DatasetConfig& config, const std::vector<double>& weights, uint32_t number, int64_t images);

}  // namespace tailseg::synthetic
