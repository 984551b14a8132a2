// What a run trains on and is judged by: the photos, their order, the loader's settings, and the validation split.
#pragma once

#include <memory>
#include <string>

#include "apps/config/config.h"
#include "apps/run/data_source.h"
#include "apps/run/trainer.h"
#include "datasets/loader.h"

namespace tailseg {

struct TrainingData {
  Split split;
  InputConfig input;
  LoaderConfig loading;
  EpochOrder order;
  int64_t images = 0;  // that the sampler may draw
  int64_t batches_in_epoch = 0;
  bool one_orientation = false;  // wide and tall images are never in one batch
  std::unique_ptr<Split> val;    // null: none is configured, nothing is evaluated
};

// Opens both splits, so that a validation file that is missing or of other categories is known before training, not
// after it. With --overfit the first N photos are both. Throws Error when nothing can be trained on.
TrainingData open_training(const Config& config, const TrainOptions& options);

// One line on the sizes of batches, for the log: which buckets there are and how many images fit none of them. Empty
// where nothing needs to be said.
std::string padding_summary(const Config& config, const TrainingData& data);

// Annotations of each label; decides the bins of AP1..AP4.
std::vector<int64_t> instances_by_label(const AnnotationSet& set);

}  // namespace tailseg
