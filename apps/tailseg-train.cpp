// tailseg-train: trains Mask R-CNN as a config says.
#include <CLI/CLI.hpp>

#include "apps/command_line.h"
#include "apps/config/config.h"
#include "apps/run_options.h"

int main(int argc, char** argv) {
  CLI::App app("Trains Mask R-CNN on COCO or LVIS annotations.", "tailseg-train");
  std::string config_file;
  tailseg::RunOptions options;
  app.add_option("--config", config_file, "TOML file, see apps/configs/")->required();
  tailseg::add_run_options(app, options, "solver.base_lr=0.01");
  app.add_option("--weights", options.train.weights, "start from these weights (safetensors, see tailseg-import)");
  app.add_option("--overfit", options.train.overfit, "train and evaluate on the first N photos, without augmentation")
      ->check(tailseg::number_from(1, 1e9));
  app.footer(
      "Ctrl-C writes a checkpoint and ends; --resume goes on.\n"
      "Example:\n  tailseg-train --config apps/configs/demo.toml --set data.root=runs/demo/data --output "
      "runs/demo/train");
  return tailseg::run_training(app, argc, argv, [&] {
    if (options.train.resume && !options.train.weights.empty()) {
      throw tailseg::UsageError("--resume goes on with a run's own weights; --weights starts a new run");
    }
    tailseg::add_settings(options, "solver.max_iters");
    tailseg::Config config = tailseg::load_config(config_file, options.settings);
    if (!options.output.empty()) config.output = options.output;
    return tailseg::train(config, options.train);
  });
}
