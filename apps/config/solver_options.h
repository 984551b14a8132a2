// What `solver.*` means to the optimiser and to the learning rate.
#pragma once

#include <cstdint>

#include "apps/config/config.h"
#include "nn/optimizer.h"
#include "nn/schedule.h"

namespace tailseg {

OptimizerOptions optimizer_options(const Config& config);

// The run's length in steps, from max_iters or epochs.
int64_t total_iterations(const Config& config, int64_t iterations_per_epoch);
Schedule learning_rate_schedule(const Config& config, int64_t iterations_per_epoch);

}  // namespace tailseg
