// Groups of settings that occur more than once, and the groups that config_schema.cpp puts together.
#pragma once

#include <string>
#include <vector>

#include "apps/config/config.h"
#include "apps/config/schema.h"

namespace tailseg {

// The loss by name (`names`: words beside the losses'), and a table of options for each loss in the list.
void add_class_loss(ConfigSchema& s, const std::string& group, LossSettings& loss, std::vector<std::string> names = {});
// Written only where `choice` is "normalized".
void add_normalized(ConfigSchema& s, const std::string& group, const std::string& choice, NormalizedConfig& n);
void add_solver(ConfigSchema& s, const std::string& group, SolverConfig& v);
void add_sampler(ConfigSchema& s, const std::string& group, SamplerConfig& v);

void add_model_keys(ConfigSchema& s, ModelConfig& m);  // model.*
void add_run_keys(ConfigSchema& s, Config& config);    // data.*, solver.*, test.*, train.*

}  // namespace tailseg
