// The folder of a run's checkpoints: iter_0000500.safetensors, iter_0001000.safetensors, ... and `last`, a text file
// with the name of the newest finished one (detectron2's last_checkpoint). Each file appears whole or not at all; the
// last `keep` good ones stay, so that a damaged newest file costs one interval and not the run.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tailseg {

class CheckpointFolder {
 public:
  // Makes the folder when it is missing. keep >= 1.
  explicit CheckpointFolder(std::string folder, int keep = 2);

  // Where the checkpoint of this iteration belongs; write it there with write_safetensors, then call finished().
  std::string path(int64_t iteration) const;

  // Points `last` at the file of this iteration, which must be there and valid, and removes older ones: of the files
  // up to `iteration` the newest `keep` good ones stay. Files named by protect() stay always.
  void finished(int64_t iteration);

  // Keeps this iteration's file for good under a second name ("best": a text file with its name, like `last`).
  void protect(const std::string& pointer, int64_t iteration);

  struct Found {
    std::string path;
    int64_t iteration = 0;
    std::string message;  // why a newer file was passed over; empty in the ordinary case. The caller prints it.
  };
  // The newest checkpoint whose header and size are valid: the one `last` names, else the ones before it. None when the
  // folder holds no checkpoint; throws Error, with every reason, when it holds some and all are damaged.
  std::optional<Found> newest() const;

 private:
  std::vector<int64_t> iterations() const;  // of the files present, falling
  std::optional<int64_t> pointed(const std::string& pointer) const;

  std::string folder_;
  int keep_;
};

}  // namespace tailseg
