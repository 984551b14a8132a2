#include "apps/run_options.h"

#include <CLI/CLI.hpp>

#include "apps/command_line.h"

namespace tailseg {

void add_run_options(CLI::App& app, RunOptions& options, const std::string& example) {
  app.add_option("--set", options.settings, "override one setting: --set " + example + " (repeatable)")
      ->expected(1)
      ->take_all();
  app.add_option("--output", options.output, "folder of the run");
  app.add_flag(
      "--resume", options.train.resume,
      "go on with the run in --output: its weights end as if it had not stopped; the log's medians begin anew");
  app.add_flag("--dry-run", options.train.dry_run, "read the data, build the model, say what would happen, and stop");
  app.add_option("--max-iters", options.max_iters, "steps in all")->check(number_from(1, 1e15));
  app.add_option("--checkpoint-every", options.checkpoint_every, "steps between checkpoints")
      ->check(number_from(1, 1e15));
  app.add_option("--seed", options.seed, "of everything random")->check(number_from(0, 9e18));
  app.add_option("--device", options.device, "auto, cpu or cuda")->check(CLI::IsMember({"auto", "cpu", "cuda"}));
}

void add_settings(RunOptions& options, const std::string& max_iters) {
  std::vector<std::string>& settings = options.settings;
  if (options.max_iters > 0) settings.push_back(max_iters + "=" + std::to_string(options.max_iters));
  if (options.checkpoint_every > 0) {
    settings.push_back("train.checkpoint_every=" + std::to_string(options.checkpoint_every));
  }
  if (options.seed >= 0) settings.push_back("train.seed=" + std::to_string(options.seed));
  if (!options.device.empty()) settings.push_back("train.device=" + options.device);
}

int run_training(CLI::App& app, int argc, char** argv, const std::function<TrainEnd()>& work) {
  TrainEnd end = TrainEnd::finished;
  const int code = run_program(app, argc, argv, [&] { end = work(); });
  return code == 0 && end == TrainEnd::interrupted ? 130 : code;
}

}  // namespace tailseg
