// What a calibration starts from: a finished detector's checkpoint, with its configuration, and the set it was trained
// on.
#pragma once

#include <string>
#include <vector>

#include "apps/config/config.h"
#include "apps/run/class_list.h"
#include "nn/parameter.h"

namespace tailseg {

// The checkpoint's own configuration with these settings ("key=value") on top. What an earlier calibration left in it
// is dropped: the detector is calibrated anew. With a `config_file` its [calibration] is taken; what it says of the
// detector is not, for the detector is there: `remark` says where it is another than the file describes. Throws Error
// for weights without a configuration, and without a recipe.
struct CalibrationStart {
  Config config;
  std::string remark;  // empty: nothing to tell
};
CalibrationStart calibration_start(const std::string& checkpoint, const std::vector<std::string>& settings,
                                   const std::string& config_file = "");

// Fills everything in the store but the calibrated heads. Throws Error, before anything is filled, for a detector of
// other classes, of a set with other counts (T and most losses would go by wrong ones), or of another classification
// loss than the configuration names; and for one of another model.
void load_detector(const std::string& checkpoint, const Config& config, const ClassList& classes,
                   ParameterStore& store);

}  // namespace tailseg
