// tailseg-calibrate: trains a second classifier beside a finished detector's.
#include <CLI/CLI.hpp>

#include "apps/config/recipes.h"
#include "apps/run/calibration_start.h"
#include "apps/run_options.h"

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
  std::string recipe = "simcal", config_file, data_root;
  tailseg::RunOptions options;
  app.add_option("--checkpoint", options.train.detector, "of tailseg-train: a file, or the folder of a run")
      ->required();
  CLI::Option* file =
      app.add_option("--config", config_file, "TOML file whose [calibration] says it all, see apps/configs/");
  app.add_option("--recipe", recipe, "what is trained, on what, and how; see detection/calibration/README.md")
      ->check(CLI::IsMember(recipe_names()))
      ->excludes(file)
      ->capture_default_str();
  tailseg::add_run_options(app, options, "calibration.head=2fc_rand");
  app.add_option("--data-root", data_root, "where the detector's data are (default: where they were)");
  app.footer(
      "Ctrl-C writes a checkpoint and ends; the same line with --resume goes on.\n"
      "Example:\n  tailseg-calibrate --checkpoint runs/demo/train --output runs/demo/calibrated\n"
      "  tailseg-evaluate --checkpoint runs/demo/calibrated --set calibration.inference=average");
  return tailseg::run_training(app, argc, argv, [&] {
    std::vector<std::string>& settings = options.settings;
    if (config_file.empty()) settings.insert(settings.begin(), "calibration.recipe=" + recipe);
    if (!data_root.empty()) settings.push_back("data.root=" + tailseg::toml_text({data_root}));
    tailseg::add_settings(options, "calibration.solver.max_iters");
    tailseg::CalibrationStart start = tailseg::calibration_start(options.train.detector, settings, config_file);
    start.config.output = options.output;
    options.train.remark = start.remark;
    return tailseg::train(start.config, options.train);
  });
}
