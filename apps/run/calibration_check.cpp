#include "apps/run/calibration_check.h"

#include <map>

#include "apps/run/model_file.h"
#include "detection/calibration/calibrated_head.h"
#include "tensor/error.h"

namespace tailseg {
namespace {

bool is_free(const std::string& key) {
  for (const char* group : {"calibration.solver.", "calibration.sampler."}) {
    if (key.starts_with(group)) return true;
  }
  return key == "calibration.inference" || key == "calibration.threshold" || key == "calibration.strict";
}

// The settings that make the head what it is, as TOML.
std::map<std::string, std::string> head_settings(const Config& config) {
  std::map<std::string, std::string> settings;
  if (!config.calibration.used()) return settings;
  for (const ConfigEntry& entry : parse_toml(config_toml(config, false), "the configuration")) {
    if (entry.key.starts_with("calibration.") && !is_free(entry.key)) settings[entry.key] = toml_text(entry.value);
  }
  return settings;
}

}  // namespace

std::string calibration_summary(const CalibrationConfig& calibration) {
  if (!calibration.used()) return "no calibration";
  return text("recipe ", calibration.recipe, ", head ", calibration.head, ", loss ", calibration.loss.type);
}

void check_same_calibration(const Config& stored, const Config& asked, const std::string& path) {
  const std::string there = calibration_summary(stored.calibration), here = calibration_summary(asked.calibration);
  TS_CHECK(there == here, path, " is of a run with ", there, ", the configuration asks for ", here);
  const auto before = head_settings(stored), now = head_settings(asked);
  for (const auto& [key, value] : now) {
    const auto found = before.find(key);
    const std::string old = found == before.end() ? "not set" : found->second;
    TS_CHECK(old == value, path, " has a calibrated head whose ", key, " is ", old, ", the configuration asks for ",
             value, "; another head needs a new run of tailseg-calibrate");
  }
}

void check_same_detector(const std::string& detector, const std::string& checkpoint) {
  const ModelFile given = read_model_file(checkpoint_file(detector)), run = read_model_file(checkpoint);
  for (const auto& [name, tensor] : given.model) {
    if (is_calibrated(name) || is_gradient_record(name)) continue;
    const auto own = run.model.find(name);
    TS_CHECK(own != run.model.end() && own->second.shape == tensor.shape && own->second.bytes == tensor.bytes,
             checkpoint, " calibrates another detector than ", given.path, " (their ", name,
             " differ); --resume takes the one that the run began with");
  }
}

}  // namespace tailseg
