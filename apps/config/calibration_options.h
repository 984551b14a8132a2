// What `calibration.*` means to the model and to the training loop.
#pragma once

#include "apps/config/config.h"
#include "detection/calibration/calibrated_head.h"

namespace tailseg {

// Of a configuration with a recipe.
CalibrationOptions calibration_options(const Config& config);

// The configuration under which calibration runs: its sampler and its solver in the place of the detector's training.
Config calibration_run(const Config& config);

}  // namespace tailseg
