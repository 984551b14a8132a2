#include "apps/run/run_plans.h"

#include "tensor/conv_plan.h"
#include "tensor/error.h"

namespace tailseg {

void RunPlans::load(Context& ctx, RunLog& log) {
  try {
    const size_t plans = load_conv_plans(ctx, path_);
    if (plans > 0) log.line("train", text(plans, " convolution plans from ", path_));
  } catch (const Error& problem) {
    log.line("train", text("the convolution plans are made again: ", problem.what()));
  }
}

void RunPlans::save(Context& ctx, RunLog& log) {
  const size_t plans = conv_plan_reports(ctx).size();
  if (plans <= saved_) return;
  saved_ = plans;
  try {
    save_conv_plans(ctx, path_);
  } catch (const Error& problem) {
    log.line("train", text("the convolution plans are not kept: ", problem.what()));
  }
}

}  // namespace tailseg
