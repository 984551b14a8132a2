// tailseg-calibrate: trains a second classifier beside a finished detector's.
#include <CLI/CLI.hpp>

#include "apps/command_line.h"
#include "apps/config/recipes.h"
#include "apps/run/calibration_start.h"
#include "apps/run/trainer.h"

namespace {

std::vector<std::string> recipe_names() {
  std::vector<std::string> names;
  for (const tailseg::Recipe& recipe : tailseg::recipes()) names.emplace_back(recipe.name);
  return names;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Trains a classifier for the long tail beside a finished detector's, which stays as it is: SimCal, cRT, LWS, "
      "tau-normalisation, class means, BAGS, any loss.",
      "tailseg-calibrate");
  std::string output, device, recipe = "simcal", config_file, data_root;
  std::vector<std::string> settings;
  int64_t max_iters = -1, checkpoint_every = -1, seed = -1;
  tailseg::TrainOptions options;
  app.add_option("--checkpoint", options.detector, "of tailseg-train: a file, or the folder of a run")->required();
  CLI::Option* file =
      app.add_option("--config", config_file, "TOML file whose [calibration] says it all, see apps/configs/");
  app.add_option("--recipe", recipe, "what is trained, on what, and how; see detection/calibration/README.md")
      ->check(CLI::IsMember(recipe_names()))
      ->excludes(file)
      ->capture_default_str();
  app.add_option("--set", settings, "override one setting: --set calibration.head=2fc_rand (repeatable)")
      ->expected(1)
      ->take_all();
  app.add_option("--output", output, "folder of the run");
  app.add_flag("--resume", options.resume, "go on with the run in --output, exactly as if it had not stopped");
  app.add_flag("--dry-run", options.dry_run, "read the data, build the model, say what would happen, and stop");
  app.add_option("--data-root", data_root, "where the detector's data are (default: where they were)");
  app.add_option("--max-iters", max_iters, "steps in all")->check(tailseg::number_from(1, 1e15));
  app.add_option("--checkpoint-every", checkpoint_every, "steps between checkpoints")
      ->check(tailseg::number_from(1, 1e15));
  app.add_option("--seed", seed, "of everything random")->check(tailseg::number_from(0, 9e18));
  app.add_option("--device", device, "auto, cpu or cuda")->check(CLI::IsMember({"auto", "cpu", "cuda"}));
  app.footer(
      "Ctrl-C writes a checkpoint and ends; the same line with --resume goes on.\n"
      "Example:\n  tailseg-calibrate --checkpoint runs/demo/train --output runs/demo/calibrated\n"
      "  tailseg-evaluate --checkpoint runs/demo/calibrated --set calibration.inference=average");
  tailseg::TrainEnd end = tailseg::TrainEnd::finished;
  const int code = tailseg::run_program(app, argc, argv, [&] {
    if (config_file.empty()) settings.insert(settings.begin(), "calibration.recipe=" + recipe);
    if (!data_root.empty()) settings.push_back("data.root=" + tailseg::toml_text({data_root}));
    if (max_iters > 0) settings.push_back("calibration.solver.max_iters=" + std::to_string(max_iters));
    if (checkpoint_every > 0) settings.push_back("train.checkpoint_every=" + std::to_string(checkpoint_every));
    if (seed >= 0) settings.push_back("train.seed=" + std::to_string(seed));
    if (!device.empty()) settings.push_back("train.device=" + device);
    tailseg::Config config = tailseg::calibration_config(options.detector, settings, config_file);
    config.output = output;
    end = tailseg::train(config, options);
  });
  return code == 0 && end == tailseg::TrainEnd::interrupted ? 130 : code;
}
