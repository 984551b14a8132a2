#include "apps/config/calibration_options.h"

#include "apps/config/word.h"
#include "tensor/error.h"

namespace tailseg {
namespace {

std::optional<NormalizedOptions> normalized(const NormalizedConfig& n) {
  return NormalizedOptions{n.temperature, n.power, n.eps};
}

std::optional<NormalizedOptions> last_layer(const Config& config) {
  const CalibrationConfig& c = config.calibration;
  const BoxHeadConfig& box = config.model.box_head;
  if (c.classifier == "detector") {
    return box.classifier == "normalized" ? normalized(box.normalized) : std::nullopt;
  }
  return c.classifier == "normalized" ? normalized(c.normalized) : std::nullopt;
}

}  // namespace

CalibrationOptions calibration_options(const Config& config) {
  const CalibrationConfig& c = config.calibration;
  CalibrationOptions o;
  o.head = word_to<CalibratedKind>(c.head, {{"2fc_rand", CalibratedKind::fc2_rand},
                                            {"3fc_rand", CalibratedKind::fc3_rand},
                                            {"3fc_ft", CalibratedKind::fc3_ft},
                                            {"2fc_ncm", CalibratedKind::fc2_ncm},
                                            {"classifier", CalibratedKind::classifier},
                                            {"classifier_ft", CalibratedKind::classifier_ft},
                                            {"class_scale", CalibratedKind::class_scale},
                                            {"tau", CalibratedKind::tau}});
  o.loss = c.loss.type == "detector" ? config.model.box_head.loss : c.loss;
  o.normalized = last_layer(config);
  o.tau = c.tau;
  o.means.cosine = c.distance == "cosine";
  o.means.normalized.temperature = c.temperature;
  o.drawn_class_only = c.proposals == "drawn_class";
  o.dual.inference = word_to<DualInference>(c.inference, {{"original", DualInference::original},
                                                          {"select", DualInference::select},
                                                          {"average", DualInference::average},
                                                          {"calibrated", DualInference::calibrated}});
  o.dual.threshold = c.threshold;
  o.dual.strict = c.strict;
  return o;
}

Config calibration_run(const Config& config) {
  TS_CHECK(config.calibration.used(), "a calibration without a recipe");
  Config run = config;
  run.solver = config.calibration.solver;
  run.train.sampler = config.calibration.sampler;
  return run;
}

}  // namespace tailseg
