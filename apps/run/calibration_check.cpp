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

using Settings = std::map<std::string, std::string>;  // key, value as TOML

template <class Wanted>
Settings settings_of(const Config& config, Wanted&& wanted) {
  Settings settings;
  for (const ConfigEntry& entry : parse_toml(config_toml(config, false), "the configuration")) {
    if (wanted(entry.key)) settings[entry.key] = toml_text(entry.value);
  }
  return settings;
}

// The settings that make the head what it is.
Settings head_settings(const Config& config) {
  if (!config.calibration.used()) return {};
  return settings_of(config, [](const std::string& key) { return key.starts_with("calibration.") && !is_free(key); });
}

// The settings that make the detector and its figures what they are, wherever it was trained.
bool is_of_detector(const std::string& key) {
  if (key == "model.weights" || key == "model.precision") return false;
  return key.starts_with("model.") || key.starts_with("train.sampler.") || key.starts_with("solver.") ||
         key.starts_with("test.");
}

std::string value_in(const Settings& settings, const std::string& key) {
  const auto found = settings.find(key);
  return found == settings.end() ? "not set" : found->second;
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
    const std::string old = value_in(before, key);
    TS_CHECK(old == value, path, " has a calibrated head whose ", key, " is ", old, ", the configuration asks for ",
             value, "; another head needs a new run of tailseg-calibrate");
  }
}

std::string detector_differences(const Config& detector, const Config& file) {
  const Settings own = settings_of(detector, is_of_detector), other = settings_of(file, is_of_detector);
  Settings all = own;
  all.insert(other.begin(), other.end());
  std::string differences;
  for (const auto& [key, value] : all) {
    const std::string here = value_in(own, key), there = value_in(other, key);
    if (here == there) continue;
    differences += text(differences.empty() ? "" : "; ", key, " is ", here, ", the file says ", there);
  }
  return differences;
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
