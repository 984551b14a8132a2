// The training loop: data, step, log, checkpoint, evaluation, and a clean end whatever happens. Calibration is the same
// loop, with a frozen detector and its calibrated heads in the place of the whole model.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "apps/config/config.h"

namespace tailseg {

struct TrainOptions {
  bool resume = false;
  bool dry_run = false;  // everything up to the first step, then a summary
  int64_t overfit = 0;   // train and evaluate on the first so many photos, without augmentation
  std::string detector;  // calibrate this checkpoint by config.calibration; empty: train
  std::string remark;    // for the log's first line; empty: none
  std::string weights;   // start from these (--weights); empty: model.weights, or random
};

enum class TrainEnd { finished, interrupted };

// Runs in config.output. Returns how it ended; an interrupt (SIGINT, SIGTERM, SIGHUP) writes a checkpoint first. Throws
// Error for bad data, a non-finite loss (the last good checkpoint stays) or a disk that is full.
TrainEnd train(const Config& config, const TrainOptions& options);

}  // namespace tailseg
