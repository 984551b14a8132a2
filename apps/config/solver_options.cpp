#include "apps/config/solver_options.h"

namespace tailseg {

OptimizerOptions optimizer_options(const Config& config) {
  const SolverConfig& s = config.solver;
  OptimizerOptions o;
  o.kind = s.optimizer == "adamw" ? OptimizerKind::adamw : OptimizerKind::sgd;
  o.momentum = s.momentum;
  o.weight_decay = s.weight_decay;
  o.weight_decay_norm = s.weight_decay_norm;
  o.beta1 = s.beta1;
  o.beta2 = s.beta2;
  o.eps = s.adam_eps;
  o.clip_norm = s.clip_norm;
  return o;
}

int64_t total_iterations(const Config& config, int64_t iterations_per_epoch) {
  return config.solver.max_iters > 0 ? config.solver.max_iters : config.solver.epochs * iterations_per_epoch;
}

Schedule learning_rate_schedule(const Config& config, int64_t iterations_per_epoch) {
  const SolverConfig& s = config.solver;
  Schedule schedule;
  schedule.kind = s.schedule == "cosine" ? ScheduleKind::cosine : ScheduleKind::step;
  schedule.base_lr = config.learning_rate();
  schedule.warmup_steps = s.warmup_iters;
  schedule.warmup_factor = s.warmup_factor;
  schedule.gamma = s.gamma;
  schedule.total_steps = total_iterations(config, iterations_per_epoch);
  if (s.max_iters > 0) {
    schedule.milestones = s.steps;
  } else {
    for (const int64_t epoch : s.step_epochs) schedule.milestones.push_back(epoch * iterations_per_epoch);
  }
  return schedule;
}

}  // namespace tailseg
