// tailseg-inspect: what is in a file, and what is wrong with it.
#include <CLI/CLI.hpp>
#include <iostream>

#include "apps/command_line.h"
#include "apps/inspect_annotations.h"

int main(int argc, char** argv) {
  CLI::App app("Counts, classes and problems of an annotation file (COCO, LVIS v0.5, LVIS v1).", "tailseg-inspect");
  std::string path;
  bool json = false;
  int limit = 10;
  app.add_option("FILE", path, "annotation file (.json)")->required();
  app.add_flag("--json", json, "everything as one JSON object");
  app.add_option("--limit", limit, "classes from each end and problems of each kind to list; 0: all")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.footer("Example:\n  tailseg-inspect lvis_v1_train.json --limit 20");
  return tailseg::run_program(app, argc, argv, [&] {
    const tailseg::AnnotationSet set = tailseg::read_annotations(path);
    if (json) {
      std::cout << tailseg::annotations_json(set);
    } else {
      tailseg::print_annotations(set, limit, std::cout);
    }
  });
}
