// tailseg-inspect: what is in a file or folder, and what is wrong with it.
#include <CLI/CLI.hpp>
#include <filesystem>
#include <iostream>

#include "apps/command_line.h"
#include "apps/inspect_annotations.h"
#include "apps/inspect_checkpoint.h"
#include "apps/inspect_images.h"
#include "apps/inspect_sampler.h"
#include "apps/run/model_file.h"
#include "datasets/image_folder.h"

namespace {

using namespace tailseg;
namespace fs = std::filesystem;

struct Options {
  std::string path, images;
  bool json = false;
  int limit = 10;
  std::string sampler, threshold, config;  // as text: the configuration checks them
  std::vector<std::string> settings;
  int64_t epoch = 0;

  bool of_sampler() const { return !sampler.empty() || !config.empty(); }
};

void inspect_weights(const Options& options) {
  const CheckpointReport report = inspect_checkpoint(checkpoint_file(options.path));
  if (options.json) {
    std::cout << checkpoint_json(report);
  } else {
    print_checkpoint(report, std::cout);
  }
}

void show(const PhotoReport& report, const Options& options) {
  if (options.json) {
    std::cout << photos_json(report);
  } else {
    print_photos(report, options.limit, std::cout);
  }
}

void inspect_set(const Options& options) {
  const AnnotationSet set = read_annotations(options.path);
  if (!options.images.empty() && options.json) {
    show(inspect_photos_of(set, options.images), options);
    return;
  }
  if (options.json) {
    std::cout << annotations_json(set);
  } else {
    print_annotations(set, options.limit, std::cout);
  }
  if (!options.images.empty()) show(inspect_photos_of(set, options.images), options);
}

void inspect_sampled(const Options& options) {
  std::vector<std::string> settings = options.settings;
  if (!options.sampler.empty()) settings.push_back("train.sampler.type=" + options.sampler);
  if (!options.threshold.empty()) settings.push_back("train.sampler.threshold=" + options.threshold);
  const Config config = load_config(options.config, settings);
  const AnnotationSet set = read_annotations(options.path);
  const SamplerReport report = inspect_sampler(set, config, options.epoch);
  if (options.json) {
    std::cout << sampler_json(set, report);
  } else {
    print_sampler(set, report, options.limit, std::cout);
  }
}

void inspect(const Options& options) {
  std::error_code error;
  const fs::path path = options.path;
  const bool folder = fs::is_directory(path, error);
  const bool run = folder && (fs::is_directory(path / "checkpoints", error) || fs::exists(path / "last", error));
  const bool photos = (folder && !run) || is_photo_name(options.path);
  const bool weights = run || (!folder && is_checkpoint_name(options.path));
  if (!options.images.empty() && (photos || weights)) throw UsageError("--images goes with an annotation file");
  if ((!options.settings.empty() || !options.threshold.empty()) && !options.of_sampler()) {
    throw UsageError("--threshold and --set go with --sampler or --config");
  }
  if (options.of_sampler()) {
    if (photos || weights) throw UsageError("--sampler and --config go with an annotation file");
    inspect_sampled(options);
  } else if (weights) {
    inspect_weights(options);
  } else if (photos) {
    show(inspect_photos(options.path), options);
  } else {
    inspect_set(options);
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "What is in a file or folder and what is wrong with it: annotations (COCO, LVIS v0.5, LVIS v1), photos, weights "
      "and checkpoints.",
      "tailseg-inspect");
  Options options;
  app.add_option(
         "PATH", options.path,
         "annotation file (.json), photo or folder of photos, weights or checkpoint (.safetensors, .pth, .pkl), "
         "folder of a run (its newest checkpoint)")
      ->required();
  app.add_option("--images", options.images, "with an annotation file: the folder of its photos; every one is decoded");
  app.add_flag("--json", options.json, "everything as one JSON object (with --images, what the photos are)");
  app.add_option("--limit", options.limit, "classes from each end and problems of each kind to list; 0: all")
      ->capture_default_str()
      ->check(number_from(0, 1e9));
  app.add_option("--sampler", options.sampler,
                 "how often this sampler shows each class: random, repeat_factor, class_balanced, bilevel");
  app.add_option("--threshold", options.threshold, "of repeat_factor (train.sampler.threshold)");
  app.add_option("--epoch", options.epoch, "number of the epoch to draw")
      ->capture_default_str()
      ->check(number_from(0, 1e9));
  app.add_option("--config", options.config, "take the sampler and its settings from this file");
  app.add_option("--set", options.settings, "one of its settings, key=value")->expected(1)->take_all();
  app.footer(
      "Example:\n  tailseg-inspect lvis_v1_train.json --limit 20\n"
      "  tailseg-inspect instances_val2017.json --images val2017\n"
      "  tailseg-inspect lvis_v1_train.json --sampler repeat_factor --threshold 1e-3");
  return run_program(app, argc, argv, [&] { inspect(options); });
}
