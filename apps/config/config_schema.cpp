// The keys of the configuration, in the order in which they are written, with their meaning and limits: model.* in
// model_keys.cpp, data.*, test.* and train.* in run_keys.cpp, solvers, samplers and losses in setting_groups.cpp,
// calibration.* here.
#include "apps/config/recipes.h"
#include "apps/config/setting_groups.h"

namespace tailseg {
namespace {

// Written only with a recipe.
void add_calibration(ConfigSchema& s, CalibrationConfig& c) {
  std::vector<std::string> names{"none"};
  for (const Recipe& recipe : recipes()) names.emplace_back(recipe.name);
  s.add("calibration.recipe", &c.recipe, "gives the settings below their values; detection/calibration/README.md")
      .choices(names);
  s.add("calibration.head", &c.head, "what is trained beside the detector")
      .choices({"2fc_rand", "3fc_rand", "3fc_ft", "2fc_ncm", "classifier", "classifier_ft", "class_scale", "tau"});
  s.add("calibration.classifier", &c.classifier, "its last layer: linear, a cosine, or as the detector's")
      .choices({"detector", "linear", "normalized"});
  s.add("calibration.tau", &c.tau, "tau: weights are divided by their length to this power").range(0, 10);
  s.add("calibration.distance", &c.distance, "2fc_ncm: to the class means").choices({"cosine", "euclidean"});
  s.add("calibration.temperature", &c.temperature, "2fc_ncm: of the cosine").range(1e-6, 1e6);
  s.add("calibration.proposals", &c.proposals,
        "those of the class that a photo was drawn for and as many of the background, or all that are sampled")
      .choices({"drawn_class", "all"});
  s.add("calibration.inference", &c.inference,
        "select: classes below the threshold from the calibrated head, others from the detector's; average of both; or "
        "one of the two")
      .choices({"select", "average", "calibrated", "original"});
  s.add("calibration.threshold", &c.threshold, "T, in training instances: 100 for LVIS, 400 for COCO-LT; paper: 300")
      .range(0, 1e9);
  s.add("calibration.strict", &c.strict, "instances < T (released code), or <= T (paper)");
  add_normalized(s, "calibration.normalized.", c.classifier, c.normalized);
  add_class_loss(s, "calibration.loss.", c.loss, {"detector"});
  add_sampler(s, "calibration.sampler.", c.sampler);
  add_solver(s, "calibration.solver.", c.solver);
}

}  // namespace

ConfigSchema config_schema(Config& config) {
  ConfigSchema schema;
  schema.add("preset", &config.preset, "whose conventions, where the references differ")
      .choices({"mmdet", "torchvision", "detectron2"});
  schema.add("output", &config.output, "folder of the run");
  add_model_keys(schema, config.model);
  add_run_keys(schema, config);
  add_calibration(schema, config.calibration);
  schema.hide("calibration.", &config.calibration.recipe, "none");
  return schema;
}

}  // namespace tailseg
