// Which photos form batch number b of epoch e, how each is flipped and scaled, and how large the batch is: everything
// about a batch that is known before a photo is opened. A pure function of the annotation set, the settings, the seed
// and (e, b).
#pragma once

#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

#include "datasets/annotations.h"
#include "datasets/loader_batch.h"
#include "datasets/sampler.h"

namespace tailseg {

class BatchPlanner {
 public:
  // `set` and `input` must outlive the planner.
  BatchPlanner(const AnnotationSet& set, const InputConfig& input, EpochOrder order, int64_t batch_size, uint64_t seed,
               bool augment);

  int64_t batches_in_epoch(int64_t epoch);
  LoaderPosition after(LoaderPosition position);  // the next batch, perhaps of the next epoch

  // Fills position, size and images of `batch` and leaves its pixels alone.
  void plan(LoaderPosition position, Batch& batch);

 private:
  const Epoch& order_of(int64_t epoch);
  BatchImage plan_image(int32_t index, int64_t epoch, int64_t place) const;

  const AnnotationSet& set_;
  const InputConfig& input_;
  EpochOrder order_;
  int64_t batch_size_;
  uint64_t seed_;
  bool augment_;
  std::deque<std::pair<int64_t, Epoch>> orders_;  // of the epochs in work, by number
};

}  // namespace tailseg
