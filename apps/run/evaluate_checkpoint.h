// tailseg-evaluate on a checkpoint: its model over an annotated split, then figures, results and pictures.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "apps/evaluate_results.h"

namespace tailseg {

struct EvaluateCheckpointOptions {
  std::string checkpoint;           // or the folder of a run
  std::string config;               // for weights that are no checkpoint: the TOML file of their model
  std::string data_root;            // replaces data.root of the checkpoint's configuration
  std::string annotations, images;  // another annotation file and its photos, in place of the validation split
  std::vector<std::string> settings;
  std::string device = "auto";
  bool analysis = false;  // proposals, true labels, accuracy and weight norms as well (apps/run/analysis.h)
  int64_t pictures = 0;   // so many photos beside their ground truth and what was found, as one picture
};

// `options` as for a result file: protocol, type, output, train_annotations, bins, json, threads. Writes metrics.json,
// results.json and pictures.png below options.output.
void evaluate_checkpoint(const EvaluateCheckpointOptions& model, const EvaluateResultsOptions& options,
                         std::ostream& out, std::ostream& log);

}  // namespace tailseg
