// What becomes of a step's figures: they arrive from the device some steps late (loss_reader.h), are checked, and go to
// the log, metrics.jsonl and the TensorBoard event file.
#pragma once

#include "apps/config/config.h"
#include "apps/run/loss_reader.h"
#include "apps/run_files/metrics_file.h"
#include "apps/run_files/run_log.h"
#include "apps/run_files/step_meter.h"
#include "apps/run_files/tensorboard.h"

namespace tailseg {

class StepRecord {
 public:
  // Of a run of `steps` steps that begins, or goes on, with step `first`: of an earlier run's metrics.jsonl the lines
  // before that step stay.
  StepRecord(Context& ctx, const Config& config, RunLog& log, int64_t steps, int64_t first);

  // LossReader::add.
  void add(const StepFigures& figures, const std::vector<std::pair<std::string, Tensor>>& losses,
           const Tensor& gradient_norm) {
    reader_.add(figures, losses, gradient_norm);
  }

  // Writes down the steps whose figures have arrived, or all. Throws Error, with the name of the loss and `saved` (what
  // the reader can go back to), at the first step whose losses or gradient are not finite.
  void report(bool all, const std::string& saved);

  MetricsFile& metrics() { return metrics_; }
  EventsFile& events() { return events_; }

 private:
  RunLog& log_;
  int64_t steps_, log_every_;
  LossReader reader_;
  StepMeter meter_;
  MetricsFile metrics_;
  EventsFile events_;
};

}  // namespace tailseg
