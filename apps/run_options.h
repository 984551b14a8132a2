// What the command lines of the programs that train have in common.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "apps/run/trainer.h"

namespace CLI {
class App;
}

namespace tailseg {

struct RunOptions {
  std::vector<std::string> settings;  // of --set; after add_settings() also those of the options below
  std::string output, device;
  int64_t max_iters = -1, checkpoint_every = -1, seed = -1;
  TrainOptions train;
};

// Adds --set (`example` is a setting for its help), --output, --resume, --dry-run, --max-iters, --checkpoint-every,
// --seed and --device.
void add_run_options(CLI::App& app, RunOptions& options, const std::string& example);

// Appends the options that were given to `settings`, after those of --set; `max_iters` names the setting of
// --max-iters.
void add_settings(RunOptions& options, const std::string& max_iters);

// run_program() around `work`. 130 where the run was interrupted and its checkpoint written, as a shell counts Ctrl-C.
int run_training(CLI::App& app, int argc, char** argv, const std::function<TrainEnd()>& work);

}  // namespace tailseg
