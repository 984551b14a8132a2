// Published ways to train a classifier anew beside a finished detector, as settings of `calibration.*` (METHODS 4.2 to
// 4.4; detection/calibration/README.md). calibration.recipe names one; every setting can still be overridden. A recipe
// is settings and nothing else, so its list stands beside the presets': what the settings do is in
// detection/calibration/.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "apps/config/schema.h"

namespace tailseg {

struct Recipe {
  const char* name;
  const char* source;                 // paper, and the code that the figures come from
  std::vector<const char*> settings;  // "head='3fc_ft'": keys below "calibration."
};
std::span<const Recipe> recipes();

// Stores the settings of the recipe called `name`; "none" has none. Throws Error for an unknown one.
void apply_recipe(const ConfigSchema& schema, const std::string& name);

}  // namespace tailseg
