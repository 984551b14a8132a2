#include "apps/run/calibration_start.h"

#include <algorithm>

#include "apps/run/calibration_check.h"
#include "apps/run/model_file.h"
#include "apps/run/open_model.h"
#include "detection/calibration/calibrated_head.h"

namespace tailseg {

CalibrationStart calibration_start(const std::string& checkpoint, const std::vector<std::string>& settings,
                                   const std::string& config_file) {
  const ModelFile file = read_model_file(checkpoint_file(checkpoint));
  TS_CHECK(file.has("config"), file.path,
           " holds weights but no configuration; calibration starts from a checkpoint of tailseg-train");
  refuse_preset(file.path, settings);
  Config detector = parse_config(file.required("config"), file.path + ", its configuration");
  detector.calibration = CalibrationConfig();
  CalibrationStart start{parse_config(config_toml(detector), file.path + ", its configuration", settings), ""};
  if (!config_file.empty()) {
    const Config described = load_config(config_file, settings);
    start.config.calibration = described.calibration;
    const std::string differences = detector_differences(start.config, described);
    if (!differences.empty()) {
      start.remark =
          text("the detector is another than ", config_file, " describes, and is calibrated as it is: ", differences);
    }
  }
  TS_CHECK(start.config.calibration.used(), config_file, config_file.empty() ? "" : " has no calibration.recipe: ",
           "no recipe to calibrate by: give --recipe, or --set calibration.recipe=...");
  return start;
}

void load_detector(const std::string& checkpoint, const Config& config, const ClassList& classes,
                   ParameterStore& store) {
  ModelFile file = read_model_file(checkpoint_file(checkpoint));
  const ClassList stored = ClassList::parse(file.required("classes"), file.path);
  TS_CHECK(stored == classes, file.path, " was trained on other classes: ", stored.size(), " of them, the data has ",
           classes.size(), stored.size() == classes.size() ? ", with other ids or names" : "");
  const ClassStatistics &before = stored.statistics, &now = classes.statistics;
  TS_CHECK(
      before.images.empty() || (before.images == now.images && before.instances == now.instances), file.path,
      " was trained on a set with other numbers of images or instances of its classes; a detector is calibrated on "
      "the set that it was trained on (data.root, data.train_annotations)");
  const auto loss = file.metadata.find("class_loss");
  const std::string& wanted = config.model.box_head.loss.type;
  TS_CHECK(loss == file.metadata.end() || loss->second == wanted, file.path,
           " was trained with the classification loss '", loss->second, "', the configuration says '", wanted,
           "'; the calibrated head's own loss is calibration.loss.type");
  std::erase_if(file.model, [](const auto& entry) { return is_calibrated(entry.first); });
  ParameterStore::LoadReport report = store.load_state_dict(file.model, file.path);
  std::erase_if(report.missing, is_calibrated);
  check_complete(report, file.path);
}

}  // namespace tailseg
