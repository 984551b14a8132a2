// tailseg-profile: where a step's time goes, kernel by kernel, beside what the machine could do.
#include <CLI/CLI.hpp>
#include <iostream>

#include "apps/command_line.h"
#include "apps/output_folder.h"
#include "apps/run/profile.h"

int main(int argc, char** argv) {
  CLI::App app("Times a training step or a prediction and prints its kernels beside the machine's measured peaks.",
               "tailseg-profile");
  tailseg::ProfileOptions options;
  std::string job = "train";
  app.add_option("--config", options.config, "TOML file (default: the preset mmdet, ResNet-50)");
  app.add_option("--set", options.settings, "override one setting: --set preset=torchvision (repeatable)")
      ->expected(1)
      ->take_all();
  app.add_option("--job", job, "train or predict")->check(CLI::IsMember({"train", "predict"}))->capture_default_str();
  app.add_option("--height", options.height, "of the pictures")
      ->check(tailseg::number_from(32, 8192))
      ->capture_default_str();
  app.add_option("--width", options.width, "of the pictures")
      ->check(tailseg::number_from(32, 8192))
      ->capture_default_str();
  app.add_option("--batch", options.batch, "pictures a step")
      ->check(tailseg::number_from(1, 4096))
      ->capture_default_str();
  app.add_option("--classes", options.classes, "without the background")
      ->check(tailseg::number_from(1, 1e6))
      ->capture_default_str();
  app.add_option("--objects", options.objects, "ground truth a picture")
      ->check(tailseg::number_from(1, 1e6))
      ->capture_default_str();
  app.add_option("--repeats", options.repeats, "timed steps")
      ->check(tailseg::number_from(1, 1e6))
      ->capture_default_str();
  app.add_option("--rows", options.rows, "kernels in the table")
      ->check(tailseg::number_from(1, 1e6))
      ->capture_default_str();
  app.add_option("--threads", options.threads, "0: as many as the machine has")->check(tailseg::number_from(0, 1024));
  app.add_option("--device", options.device, "auto, cpu or cuda")->check(CLI::IsMember({"auto", "cpu", "cuda"}));
  app.add_option("--trace", options.trace, "write a Chrome trace (ui.perfetto.dev opens it)");
  app.add_flag("--json", options.json, "one JSON object instead of the table");
  app.footer("Example:\n  tailseg-profile --job train --height 512 --width 512 --trace step.json");
  return tailseg::run_program(app, argc, argv, [&] {
    options.train = job == "train";
    if (!options.trace.empty() && !options.config.empty()) {
      tailseg::check_output_apart(options.trace, options.config, "--trace");
    }
    tailseg::profile(options, std::cout);
  });
}
