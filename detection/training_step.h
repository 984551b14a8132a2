// One step of training, or of calibration: losses, gradients, update. Plain, or captured once for each shape of input
// and replayed (captured_step.h).
#pragma once

#include <optional>

#include "detection/captured_step.h"
#include "detection/mask_rcnn.h"
#include "nn/optimizer.h"

namespace tailseg {

struct TrainedModel {  // all must outlive the step
  Context& ctx;
  ParameterStore& store;
  MaskRcnn& model;
  Optimizer& optimizer;
};

struct TrainingStepOptions {
  bool calibrates = false;  // the model's calibrated heads are trained (MaskRcnn::calibration_losses)
  bool captured = false;    // the context must keep sizes fixed
};

class TrainingStep {
 public:
  TrainingStep(const TrainedModel& trained, const TrainingStepOptions& options);
  TrainingStep(const TrainingStep&) = delete;
  TrainingStep& operator=(const TrainingStep&) = delete;

  // -> total_loss and its parts, scalars on the device, this step's until the next one.
  StepValues run(const StepInput& input, const StepKey& key, double learning_rate);
  const CapturedStep* captured() const { return captured_ ? &*captured_ : nullptr; }

 private:
  StepValues launch(const StepInput& input, const StepKey& key);

  TrainedModel trained_;
  bool calibrates_;
  std::optional<CapturedStep> captured_;
};

}  // namespace tailseg
