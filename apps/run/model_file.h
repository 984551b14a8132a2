// The file of a model's weights: a checkpoint of tailseg-train, what tailseg-import wrote, or any file that it reads.
#pragma once

#include <cstdint>
#include <string>

#include "nn/host_tensor.h"
#include "nn/parameter.h"

namespace tailseg {

struct ModelFile {
  std::string path;
  HostTensors model, optimizer;  // the optimiser's tensors are those whose names begin with "optimizer."
  TextMap metadata;

  bool has(const std::string& key) const { return metadata.count(key) != 0; }
  // Metadata that a checkpoint of tailseg-train has; throws Error where it is missing or no number.
  const std::string& required(const std::string& key) const;
  int64_t number(const std::string& key) const;
};

// A safetensors file as it is; a .pth or .pkl goes through convert_weights. Throws Error for a file that cannot be
// read.
ModelFile read_model_file(const std::string& path);

// `path` itself, or for a folder (a run's, or its checkpoints/) the newest good checkpoint in it. Throws Error when a
// folder holds none.
std::string checkpoint_file(const std::string& path);

// The sums of train.gradients_every (detection/class_gradients.h) are a record of training and no part of the model: a
// checkpoint fits with and without them.
bool is_gradient_record(const std::string& name);

// Throws Error, with names, unless the file had every tensor of the model and no other; gradient records apart.
void check_complete(const ParameterStore::LoadReport& report, const std::string& path);

// "a, b, c", after ten names "... (40 in all)".
std::string listed(const std::vector<std::string>& names);

// Throws Error when a checkpoint was trained with another classification loss than `configured`: its logits mean
// something else. `way_out` ends the message.
void check_same_loss(const ModelFile& file, const std::string& configured, const std::string& way_out);

}  // namespace tailseg
