// conv_plans.json in a run's folder: which library engine computes which convolution, so that a resumed run takes the
// engines of its first part. A run without the file finds engines again: it is never a reason to stop.
#pragma once

#include <string>

#include "apps/run_files/run_log.h"
#include "tensor/context.h"

namespace tailseg {

class RunPlans {
 public:
  explicit RunPlans(std::string path) : path_(std::move(path)) {}

  void load(Context& ctx, RunLog& log);
  void save(Context& ctx, RunLog& log);  // where plans were made since the last time

 private:
  std::string path_;
  size_t saved_ = 0;
};

}  // namespace tailseg
