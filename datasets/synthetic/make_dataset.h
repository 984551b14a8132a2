// A whole synthetic data set in LVIS v1 format:
//
//   DIR/annotations/train.json, val.json   LVIS v1: coco_url instead of file_name, neg_category_ids, frequency letters;
//                                          image_count and instance_count are those of train in both files
//   DIR/images/train/*, val/*              the last two parts of coco_url, as in LVIS
//
// The classes' train frequencies follow a power law or a category file; the val split shows every class equally often
// unless asked otherwise, so that per-class AP means something for the rare ones too. Every object is annotated: lists
// of not exhaustively annotated categories are empty. Pictures and annotations depend on the settings and the seed, not
// on the number of threads.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "datasets/synthetic/classes.h"
#include "datasets/synthetic/frequency.h"

namespace tailseg::synthetic {

enum class Kind { kShapes, kGlyphs };

struct DatasetConfig {
  std::string output;
  Kind kind = Kind::kShapes;
  std::string font;          // kGlyphs
  int64_t train_images = 0;  // at least 1
  int64_t val_images = 0;    // 0: no val split
  uint64_t seed = 0;
  int64_t classes = 24;
  std::string categories;    // a category file: names, number and frequencies of the classes
  double range = 50;         // commonest class / rarest class, counted in train images
  double power = -1;         // of the power law itself; overrides range when >= 0
  bool balanced_val = true;  // otherwise val follows the train frequencies
  bool any_colour = false;   // kShapes: colour says nothing about the class
  int64_t most_objects = 5;  // per image, 1 to this many, uniformly
  int64_t rare_images = -1;  // thresholds of the letters; -1: as in thresholds_like_lvis()
  int64_t common_images = -1;
  int64_t negatives = -1;  // neg_category_ids per image; -1: all absent classes up to 100 classes, else 20 of them
  bool png = false;        // lossless pictures; otherwise JPEG
  int jpeg_quality = 95;
  int threads = 2;
  bool overwrite = false;  // an earlier set in `output`: its annotations and the pictures that they name are removed
  SceneConfig scene;
};

struct DatasetSummary {
  struct ClassCounts {
    std::string name;
    char frequency = 0;
    int64_t train_images = 0, train_instances = 0, val_instances = 0;
  };
  std::vector<ClassCounts> classes;  // by category id
  FrequencyThresholds thresholds;
  bool letters_given = false;  // by the category file: the thresholds were not used
  int64_t left_out = 0;        // objects that found no place
};

// `progress` is called now and then from the calling thread with the number of pictures done and to do. Throws Error
// for settings that make no sense, a folder that holds a set already (with `overwrite`: another program's), and failed
// writes.
DatasetSummary make_dataset(const DatasetConfig& config,
                            const std::function<void(int64_t done, int64_t total)>& progress = {});

}  // namespace tailseg::synthetic
