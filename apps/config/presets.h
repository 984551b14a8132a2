// Where the references differ: one row a setting, one column a reference (METHODS 5 and 6).
#pragma once

#include <span>
#include <string>

#include "apps/config/schema.h"

namespace tailseg {

struct PresetRow {
  const char *key, *methods;                     // section of METHODS
  const char *mmdet, *torchvision, *detectron2;  // TOML
};

std::span<const PresetRow> preset_rows();

// Sets every row's value of the preset "mmdet", "torchvision" or "detectron2".
void apply_preset(const ConfigSchema& schema, const std::string& preset);

}  // namespace tailseg
