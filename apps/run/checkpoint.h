// What a checkpoint holds. A checkpoint is one safetensors file: the model's tensors under
// torchvision's names, the optimiser's under "optimizer.", and as metadata everything else that an exact resume or a
// later evaluation needs: iteration, loader position, configuration, classes.
#pragma once

#include <string>
#include <vector>

#include "apps/config/config.h"
#include "apps/run/class_list.h"
#include "datasets/loader_batch.h"
#include "nn/optimizer.h"
#include "nn/parameter.h"

namespace tailseg {

struct TrainingState {
  int64_t iteration = 0;    // steps done
  LoaderPosition position;  // of the next batch
  // Resumed with train.gradients_every from a checkpoint without its sums: they begin at 0 here.
  bool gradients_begin = false;
  std::vector<std::string> changed;  // resumed: settings that are not the checkpoint's, for the log
};

void save_checkpoint(const std::string& path, const Config& config, const ClassList& classes,
                     const ParameterStore& store, const Optimizer& optimizer, const TrainingState& state);

// Resumes: fills the store and the optimiser. Throws Error, with names and shapes, for a checkpoint of another model,
// another optimiser or other classes.
TrainingState load_training(const std::string& path, const Config& config, const ClassList& classes,
                            ParameterStore& store, Optimizer& optimizer);

// Starts from somebody's weights (safetensors, or what tailseg-import reads): whatever the file has under the model's
// names. Predictors of another number of classes are left as they were initialised, and so is what a loss has counted
// on other classes. Returns lines for the log: what was loaded, left out and missing.
std::vector<std::string> load_weights(const std::string& path, const Config& config, const ClassList& classes,
                                      ParameterStore& store);

// Takes only the state of the classification loss (counts, groups) from a checkpoint or a run's folder: Seesaw's
// pre-recorded counts. Throws Error for a checkpoint of other classes, of another loss, or without such a state.
// Returns lines for the log.
std::vector<std::string> load_loss_state(const std::string& path, const ClassList& classes, ParameterStore& store);

}  // namespace tailseg
