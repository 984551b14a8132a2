// tailseg-inspect: what is in a file, and what is wrong with it.
#include <CLI/CLI.hpp>
#include <iostream>

#include "apps/command_line.h"
#include "apps/inspect_annotations.h"
#include "apps/inspect_checkpoint.h"

int main(int argc, char** argv) {
  CLI::App app(
      "What is in a file and what is wrong with it: annotations (COCO, LVIS v0.5, LVIS v1), weights and "
      "checkpoints.",
      "tailseg-inspect");
  std::string path;
  bool json = false;
  int limit = 10;
  app.add_option("FILE", path, "annotation file (.json), weights or checkpoint (.safetensors, .pth, .pkl)")->required();
  app.add_flag("--json", json, "everything as one JSON object");
  app.add_option("--limit", limit, "classes from each end and problems of each kind to list; 0: all")
      ->capture_default_str()
      ->check(tailseg::number_from(0, 1e9));
  app.footer("Example:\n  tailseg-inspect lvis_v1_train.json --limit 20");
  return tailseg::run_program(app, argc, argv, [&] {
    if (tailseg::is_checkpoint_name(path)) {
      const tailseg::CheckpointReport report = tailseg::inspect_checkpoint(path);
      if (json) {
        std::cout << tailseg::checkpoint_json(report);
      } else {
        tailseg::print_checkpoint(report, std::cout);
      }
      return;
    }
    const tailseg::AnnotationSet set = tailseg::read_annotations(path);
    if (json) {
      std::cout << tailseg::annotations_json(set);
    } else {
      tailseg::print_annotations(set, limit, std::cout);
    }
  });
}
