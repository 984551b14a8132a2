#include "apps/run/step_record.h"

#include <cmath>
#include <filesystem>

#include "tensor/error.h"

namespace tailseg {
namespace {

void check_finite(const StepFigures& step, const std::string& saved) {
  const auto check = [&](const std::string& name, double value) {
    TS_CHECK(std::isfinite(value), name, " is not finite (", value, ") at step ", step.iteration, "; ", saved,
             ". A smaller solver.base_lr, solver.clip_norm or a longer warm-up are the usual cures; tailseg-inspect "
             "finds bad boxes");
  };
  // The total, which comes first, is not finite whenever a part is not: the parts say more.
  const size_t count = step.losses.size();
  for (size_t i = 1; i <= count; ++i) check(step.losses[i % count].first, step.losses[i % count].second);
  check("the gradient's norm", *step.gradient_norm);
}

}  // namespace

StepRecord::StepRecord(Context& ctx, const Config& config, RunLog& log, int64_t steps, int64_t first)
    : log_(log),
      steps_(steps),
      log_every_(config.train.log_every),
      reader_(ctx),
      meter_(steps),
      metrics_((std::filesystem::path(config.output) / "metrics.jsonl").string(), first - 1),
      events_(config.output, first) {}

void StepRecord::report(bool all, const std::string& saved) {
  while (const std::optional<StepFigures> step = reader_.take(all)) {
    check_finite(*step, saved);
    meter_.add(*step);
    const int64_t done = step->iteration + 1;
    if (done % log_every_ == 0 || done == steps_) {
      log_.line("train", meter_.log_line());
      const auto values = meter_.metrics();
      metrics_.write(values);
      events_.scalars(step->iteration, values);
    }
    log_.progress(meter_.progress_line());
  }
}

}  // namespace tailseg
