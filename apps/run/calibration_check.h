// What a calibrated checkpoint must have in common with the configuration and the detector that it is used with.
#pragma once

#include <string>

#include "apps/config/config.h"

namespace tailseg {

// "recipe simcal, head 3fc_ft, loss softmax", or "no calibration".
std::string calibration_summary(const CalibrationConfig& calibration);

// Throws Error when the head of the checkpoint at `path`, written under `stored`, is another than `asked` describes:
// its recipe, layers, constants or loss differ. How heads share the classes (inference, T) and how the head is trained
// on (sampler, solver) may change.
void check_same_calibration(const Config& stored, const Config& asked, const std::string& path);

// Where the detector that `file` describes differs from the one that is there, in its model, its training and how it is
// read off: "train.sampler.type is \"random\", the file says \"repeat_factor\"; ..". Empty where they agree.
std::string detector_differences(const Config& detector, const Config& file);

// Throws Error unless the calibration's checkpoint holds this detector, bit for bit.
void check_same_detector(const std::string& detector, const std::string& checkpoint);

}  // namespace tailseg
