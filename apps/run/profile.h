// What a training step or a prediction costs, kernel by kernel, beside what this machine could do (DESIGN 10).
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

namespace tailseg {

struct ProfileOptions {
  std::string config;                 // TOML file; empty: the preset alone
  std::vector<std::string> settings;  // "key=value"
  bool train = true;                  // a training step, else a prediction
  int64_t height = 512, width = 512, batch = 1;
  int64_t classes = 80;
  int64_t objects = 8;  // ground truth in each image
  int64_t repeats = 5;  // timed; the median counts
  int64_t rows = 10;    // kernels in the table
  int threads = 0;
  std::string device = "auto";
  std::string trace;  // Chrome trace of the profiled step; empty: none
  bool json = false;  // one object with the figures instead of the table
};

// Random weights, a random picture, random boxes. The profiled step is a separate one, so that profiling does not
// count; the machine's copy bandwidth and float32 product rate are measured first, in the same run.
void profile(const ProfileOptions& options, std::ostream& out);

}  // namespace tailseg
