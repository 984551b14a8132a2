// tailseg-train: trains Mask R-CNN as a config says.
#include <CLI/CLI.hpp>

#include "apps/command_line.h"
#include "apps/config/config.h"
#include "apps/run/trainer.h"

int main(int argc, char** argv) {
  CLI::App app("Trains Mask R-CNN on COCO or LVIS annotations.", "tailseg-train");
  std::string config_file, output, device;
  std::vector<std::string> settings;
  int64_t max_iters = -1, checkpoint_every = -1, seed = -1;
  tailseg::TrainOptions options;
  app.add_option("--config", config_file, "TOML file, see apps/configs/")->required();
  app.add_option("--set", settings, "override one setting: --set solver.base_lr=0.01 (repeatable)")
      ->expected(1)
      ->take_all();
  app.add_option("--output", output, "folder of the run");
  app.add_flag("--resume", options.resume, "go on with the run in --output, exactly as if it had not stopped");
  app.add_option("--weights", options.weights, "start from these weights (safetensors, see tailseg-import)");
  app.add_flag("--dry-run", options.dry_run, "read the data, build the model, say what would happen, and stop");
  app.add_option("--overfit", options.overfit, "train and evaluate on the first N photos, without augmentation")
      ->check(tailseg::number_from(1, 1e9));
  app.add_option("--max-iters", max_iters, "steps in all")->check(tailseg::number_from(1, 1e15));
  app.add_option("--checkpoint-every", checkpoint_every, "steps between checkpoints")
      ->check(tailseg::number_from(1, 1e15));
  app.add_option("--seed", seed, "of everything random")->check(tailseg::number_from(0, 9e18));
  app.add_option("--device", device, "auto, cpu or cuda")->check(CLI::IsMember({"auto", "cpu", "cuda"}));
  app.footer(
      "Ctrl-C writes a checkpoint and ends; --resume goes on.\n"
      "Example:\n  tailseg-train --config apps/configs/demo.toml --set data.root=runs/demo/data --output "
      "runs/demo/train");
  tailseg::TrainEnd end = tailseg::TrainEnd::finished;
  const int code = tailseg::run_program(app, argc, argv, [&] {
    if (options.resume && !options.weights.empty()) {
      throw tailseg::UsageError("--resume goes on with a run's own weights; --weights starts a new run");
    }
    if (max_iters > 0) settings.push_back("solver.max_iters=" + std::to_string(max_iters));
    if (checkpoint_every > 0) settings.push_back("train.checkpoint_every=" + std::to_string(checkpoint_every));
    if (seed >= 0) settings.push_back("train.seed=" + std::to_string(seed));
    if (!device.empty()) settings.push_back("train.device=" + device);
    tailseg::Config config = tailseg::load_config(config_file, settings);
    if (!output.empty()) config.output = output;
    end = tailseg::train(config, options);
  });
  return code == 0 && end == tailseg::TrainEnd::interrupted ? 130 : code;
}
