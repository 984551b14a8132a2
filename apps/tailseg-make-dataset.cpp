// tailseg-make-dataset: a synthetic long-tailed instance segmentation set in LVIS v1 format.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <iostream>
#include <thread>

#include "apps/command_line.h"
#include "datasets/synthetic/make_dataset.h"

namespace {

using tailseg::number_from;
using tailseg::UsageError;
using tailseg::synthetic::DatasetConfig;
using tailseg::synthetic::DatasetSummary;
using tailseg::synthetic::Kind;

struct Options {
  DatasetConfig config;
  std::string kind = "shapes", size = "128x128", format = "jpg";
  bool natural_val = false;
  const CLI::Option* smallest = nullptr;
};

void add_options(CLI::App& app, Options& options) {
  DatasetConfig& c = options.config;
  c.threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  app.add_option("--output", c.output, "folder to write")->required();
  app.add_option("--images", c.train_images, "training images")->required()->check(number_from(1, 1e8));
  app.add_option("--val-images", c.val_images, "held-out images")->check(number_from(0, 1e8));
  app.add_option("--seed", c.seed, "same seed and settings, same set")
      ->check(number_from(0, 1.8e19))
      ->capture_default_str();
  app.add_option("--kind", options.kind, "shapes (outline x texture) or glyphs (of --font)")
      ->check(CLI::IsMember({"shapes", "glyphs"}))
      ->capture_default_str();
  app.add_option("--font", c.font, "font (.ttf, .otf) for --kind glyphs");
  CLI::Option* classes =
      app.add_option("--classes", c.classes, "number of classes")->check(number_from(1, 1e6))->capture_default_str();
  app.add_option("--size", options.size, "WIDTHxHEIGHT of every image")->capture_default_str();
  CLI::Option* range = app.add_option("--range", c.range, "train images with the commonest class / with the rarest")
                           ->check(number_from(1, 1e9))
                           ->capture_default_str();
  app.add_option("--power", c.power, "power of the frequency law itself, instead of --range")
      ->check(number_from(0, 100))
      ->excludes(range);
  app.add_option("--categories", c.categories,
                 "JSON list of LVIS categories (or an annotation file): their names and counts, scaled")
      ->excludes(classes);
  app.add_option("--objects", c.most_objects, "1 to this many objects an image")
      ->check(number_from(1, 1000))
      ->capture_default_str();
  options.smallest =
      app.add_option("--smallest", c.scene.smallest, "least diameter, share of the shorter side (glyphs: 0.25)")
          ->check(number_from(0, 1))
          ->capture_default_str();
  app.add_option("--largest", c.scene.largest, "largest diameter, share of the shorter side")
      ->check(number_from(0, 1))
      ->capture_default_str();
  app.add_option("--rotation", c.scene.most_turn, "objects turn up to so many degrees")
      ->check(number_from(0, 360))
      ->capture_default_str();
  app.add_option("--visible", c.scene.least_visible, "least visible share of every object")
      ->check(number_from(0.05, 1))
      ->capture_default_str();
  app.add_flag("--any-colour", c.any_colour, "shapes: colour says nothing about the class");
  app.add_flag("--natural-val", options.natural_val, "held-out classes as frequent as in train, not equally frequent");
  app.add_option("--rare-images", c.rare_images,
                 "frequency r up to so many train images (default: LVIS's share of classes)")
      ->check(number_from(0, 1e9));
  app.add_option("--common-images", c.common_images, "frequency c up to so many (default: LVIS's share of classes)")
      ->check(number_from(0, 1e9));
  app.add_option("--negatives", c.negatives,
                 "neg_category_ids an image (default: all absent classes, beyond 100 classes 20 of them)")
      ->check(number_from(0, 1e6));
  app.add_option("--format", options.format, "jpg or png")->check(CLI::IsMember({"jpg", "png"}))->capture_default_str();
  app.add_option("--threads", c.threads, "the set does not depend on it")
      ->check(number_from(1, 1024))
      ->capture_default_str();
  app.add_flag("--overwrite", c.overwrite, "replace this program's earlier set in the folder");
  app.footer(
      "Example:\n  tailseg-make-dataset --output runs/shapes --images 3000 --val-images 300 --seed 1\n"
      "  tailseg-train --config apps/configs/demo.toml --set data.root=runs/shapes --output runs/first");
}

void finish_options(Options& options) {
  DatasetConfig& c = options.config;
  int end = 0;
  long width = 0, height = 0;
  if (std::sscanf(options.size.c_str(), "%5ldx%5ld%n", &width, &height, &end) != 2 ||
      end != static_cast<int>(options.size.size())) {
    throw UsageError("--size is '" + options.size + "', expected WIDTHxHEIGHT such as 128x128");
  }
  c.scene.width = width;
  c.scene.height = height;
  c.kind = options.kind == "glyphs" ? Kind::kGlyphs : Kind::kShapes;
  if (c.kind == Kind::kGlyphs && options.smallest->count() == 0) c.scene.smallest = 0.25;  // thin strokes
  if (c.kind == Kind::kShapes && !c.font.empty()) throw UsageError("--font is for --kind glyphs");
  if (c.kind == Kind::kGlyphs && c.font.empty()) throw UsageError("--kind glyphs needs --font FILE");
  if (c.scene.smallest <= 0 || c.scene.largest < c.scene.smallest || c.scene.largest > 1) {
    throw UsageError("--smallest and --largest must satisfy 0 < smallest <= largest <= 1");
  }
  c.png = options.format == "png";
  c.balanced_val = !options.natural_val;
}

void print_summary(const DatasetConfig& config, const DatasetSummary& summary) {
  int64_t objects = 0, val_objects = 0, groups[3] = {0, 0, 0};
  for (const auto& c : summary.classes) {
    objects += c.train_instances;
    val_objects += c.val_instances;
    ++groups[c.frequency == 'r' ? 0 : c.frequency == 'c' ? 1 : 2];
  }
  auto sorted = summary.classes;
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.train_images > b.train_images; });
  std::cout << "train: " << config.train_images << " images, " << objects << " objects; val: " << config.val_images
            << " images, " << val_objects << " objects\n"
            << summary.classes.size() << " classes: " << groups[2] << " frequent, " << groups[1] << " common, "
            << groups[0] << " rare";
  if (summary.letters_given) {
    std::cout << " (as the category file says)\n";
  } else {
    std::cout << " (common: up to " << summary.thresholds.common << " train images, rare: up to "
              << summary.thresholds.rare << ")\n";
  }
  const size_t shown = std::min<size_t>(sorted.size(), 40);
  std::cout << "  train images  objects  val objects  class\n";
  for (size_t i = 0; i < shown; ++i) {
    char line[96];
    std::snprintf(line, sizeof(line), "  %12lld %8lld %12lld  %c ", static_cast<long long>(sorted[i].train_images),
                  static_cast<long long>(sorted[i].train_instances), static_cast<long long>(sorted[i].val_instances),
                  sorted[i].frequency);
    std::cout << line << sorted[i].name << '\n';
  }
  if (shown < sorted.size()) std::cout << "  ... and " << sorted.size() - shown << " more\n";
  if (summary.left_out > 0)
    std::cout << summary.left_out << " objects found no place in their image and were left out\n";
  std::cout << "written: " << config.output << "/annotations, " << config.output << "/images\n";
}

void make(Options& options) {
  finish_options(options);
  const bool terminal = isatty(STDERR_FILENO) != 0;
  const auto progress = [&](int64_t done, int64_t total) {
    if (terminal)
      std::cerr << '\r' << done << " of " << total << " images" << (done == total ? "\n" : "") << std::flush;
  };
  print_summary(options.config, tailseg::synthetic::make_dataset(options.config, progress));
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Makes a synthetic long-tailed instance segmentation set in LVIS v1 format.", "tailseg-make-dataset");
  Options options;
  add_options(app, options);
  return tailseg::run_program(app, argc, argv, [&] { make(options); });
}
