// A run judged by its validation split, on the way and at its end.
#pragma once

#include "apps/run/class_list.h"
#include "apps/run/training_data.h"
#include "apps/run_files/metrics_file.h"
#include "apps/run_files/run_log.h"
#include "apps/run_files/tensorboard.h"
#include "detection/mask_rcnn.h"

namespace tailseg {

struct ValidatedRun {
  Context& ctx;
  MaskRcnn& model;
  const ParameterStore& store;
  const Config& config;
  const TrainingData& data;  // has a validation split
  const ClassList& classes;
  RunLog& log;
  MetricsFile& metrics;
  EventsFile& events;
};

// Figures go to the log, metrics.jsonl and the event file; the last time also, with every class's, to
// OUTPUT/evaluation/metrics.json and results.json, after the analysis where the configuration asks for it. Throws
// Stopped when a signal came.
void validate_run(const ValidatedRun& run, int64_t iteration, bool last);

}  // namespace tailseg
