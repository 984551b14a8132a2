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
// What a preset changes further with model.meta = "cascade_mask_rcnn" (torchvision has none: as mmdet).
std::span<const PresetRow> cascade_rows();

// Sets every row's value of the preset "mmdet", "torchvision" or "detectron2".
void apply_preset(const ConfigSchema& schema, const std::string& preset, bool cascade);

}  // namespace tailseg
