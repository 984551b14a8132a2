// Prediction on photos that have no annotations: overlays for people, results JSON for programs.
#pragma once

#include <string>
#include <vector>

namespace tailseg {

struct PredictOptions {
  std::string checkpoint, output;
  std::string config, categories;     // for weights that are no checkpoint: TOML file, annotation file with the names
  std::vector<std::string> inputs;    // photos and folders of photos
  std::vector<std::string> settings;  // "key=value" on top of the checkpoint's configuration
  std::string device = "auto";
  double score_threshold = 0.5;  // of what is drawn and written
};

// Writes DIR/<name>.png for each photo and DIR/results.json (COCO form; image_id counts the photos from 1 in the order
// of images.json). A photo that cannot be read is reported and skipped; when none can, that is an Error. So is a path
// that does not exist, and an output folder that holds the photos. Returns false where Ctrl-C, SIGTERM or a hang-up
// ended it early: both files then have the photos before. A closed pipe on standard output ends nothing.
bool predict(const PredictOptions& options);

}  // namespace tailseg
