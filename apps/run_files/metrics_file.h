// metrics.jsonl: one JSON object a line, keys sorted, each line flushed to the disk before write() returns. Losses
// under their names with "iteration" (detectron2's metrics.json), evaluations under "segm/AP", "bbox/APr", ...
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace tailseg {

class MetricsFile {
 public:
  // Keeps the lines of an earlier run up to iteration `keep_through` and drops what came after it (a resumed run writes
  // those again), lines without an iteration and a torn last line. -1, for a fresh run, keeps nothing.
  MetricsFile(std::string path, int64_t keep_through);
  ~MetricsFile();
  MetricsFile(const MetricsFile&) = delete;
  MetricsFile& operator=(const MetricsFile&) = delete;

  // Non-finite values become null: JSON has no nan. Throws Error when the line cannot be written.
  void write(const std::map<std::string, double>& values);

 private:
  std::string path_;
  int descriptor_ = -1;
};

}  // namespace tailseg
