// What a checkpoint holds, and models made from one. A checkpoint is one safetensors file: the model's tensors under
// torchvision's names, the optimiser's under "optimizer.", and as metadata everything else that an exact resume or a
// later evaluation needs: iteration, loader position, configuration, classes.
#pragma once

#include <memory>
#include <string>

#include "apps/config/config.h"
#include "apps/run/class_list.h"
#include "datasets/loader_batch.h"
#include "detection/mask_rcnn.h"
#include "nn/optimizer.h"

namespace tailseg {

struct TrainingState {
  int64_t iteration = 0;    // steps done
  LoaderPosition position;  // of the next batch
};

void save_checkpoint(const std::string& path, const Config& config, const ClassList& classes,
                     const ParameterStore& store, const Optimizer& optimizer, const TrainingState& state);

// Resumes: fills the store and the optimiser. Throws Error, with names and shapes, for a checkpoint of another model,
// another optimiser or other classes.
TrainingState load_training(const std::string& path, const ClassList& classes, ParameterStore& store,
                            Optimizer& optimizer);

// Starts from somebody's weights: whatever the file has under the model's names. Predictors of another number of
// classes are left as they were initialised. Returns lines for the log: what was loaded, left out and missing.
std::vector<std::string> load_weights(const std::string& path, const Config& config, ParameterStore& store);

// A model as its checkpoint describes it, for evaluation and prediction. `overrides` ("key=value") change settings of
// the stored configuration.
struct LoadedModel {
  Config config;
  ClassList classes;
  std::unique_ptr<ParameterStore> store;
  std::unique_ptr<MaskRcnn> model;
};
LoadedModel load_model(Context& ctx, const std::string& path, const std::vector<std::string>& overrides = {});

}  // namespace tailseg
