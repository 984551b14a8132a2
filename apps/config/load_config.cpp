// From files and overrides to one checked Config.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>

#include "apps/config/config.h"
#include "apps/config/presets.h"
#include "apps/config/recipes.h"
#include "datasets/samplers/photo_sampler.h"
#include "detection/losses/margin.h"
#include "tensor/error.h"

namespace tailseg {
namespace {

namespace fs = std::filesystem;

std::string read_text(const std::string& path, const std::string& named_by) {
  std::error_code error;
  const bool regular = fs::is_regular_file(path, error);
  std::ifstream file(path, std::ios::binary);
  TS_CHECK(regular && file, named_by, "the configuration file ", path, " cannot be read");
  return {std::istreambuf_iterator<char>(file), {}};
}

// The entries of a file and of its bases, the deepest base first. `open` holds the files on the way here.
void collect(const std::string& path, const std::string& named_by, std::vector<fs::path>& open,
             std::vector<ConfigEntry>& entries) {
  std::error_code error;
  const fs::path identity = fs::weakly_canonical(path, error);
  TS_CHECK(std::find(open.begin(), open.end(), identity) == open.end(), named_by, "base '", path,
           "' leads back to itself");
  open.push_back(identity);
  std::vector<ConfigEntry> own = parse_toml(read_text(path, named_by), path);
  const auto base = std::find_if(own.begin(), own.end(), [](const ConfigEntry& entry) { return entry.key == "base"; });
  if (base != own.end()) {
    const auto* name = std::get_if<std::string>(&base->value.data);
    TS_CHECK(name && !name->empty(), base->where, ": 'base' expects the name of a file");
    collect((fs::path(path).parent_path() / *name).string(), base->where + ": ", open, entries);
    own.erase(base);
  }
  entries.insert(entries.end(), own.begin(), own.end());
  open.pop_back();
}

bool rising(const std::vector<int64_t>& steps) {
  return std::adjacent_find(steps.begin(), steps.end(), std::greater_equal<>()) == steps.end();
}

void check_buckets(const std::vector<int64_t>& sides, int64_t divisor, const char* key) {
  TS_CHECK(sides.size() % 2 == 0, "configuration: ", key, " has ", sides.size(),
           " numbers; each bucket is a height and a width");
  for (const int64_t side : sides) {
    TS_CHECK(side % divisor == 0, "configuration: ", key, ": ", side, " is no multiple of data.size_divisor, ",
             divisor);
  }
}

// What no single setting can tell.
void check_together(const Config& c) {
  const auto check = [](bool fits, const char* message) { TS_CHECK(fits, "configuration: ", message); };
  check(c.model.rpn.iou_negative <= c.model.rpn.iou_positive, "model.rpn.iou_negative is above model.rpn.iou_positive");
  check(!c.model.box_head.class_agnostic || c.model.box_head.agnostic_below == 0,
        "model.box_head.class_agnostic shares one box among all classes; agnostic_below has no meaning beside it");
  check(!c.model.mask_head.class_agnostic || c.model.mask_head.agnostic_below == 0,
        "model.mask_head.class_agnostic shares one mask among all classes; agnostic_below has no meaning beside it");
  check(!c.model.anchors.aspect_ratios.empty(), "model.anchors.aspect_ratios is empty");
  check(!c.data.scales.empty(), "data.scales is empty");
  check(*std::max_element(c.data.scales.begin(), c.data.scales.end()) <= c.data.max_size,
        "a value of data.scales is above data.max_size");
  check(c.data.test_scale <= c.data.test_max_size, "data.test_scale is above data.test_max_size");
  check_buckets(c.data.buckets, c.data.size_divisor, "data.buckets");
  check_buckets(c.data.test_buckets, c.data.size_divisor, "data.test_buckets");
  check(c.solver.max_iters > 0 || c.solver.epochs > 0, "solver.max_iters and solver.epochs are both 0");
  check(rising(c.solver.steps), "solver.steps must rise");
  check(rising(c.solver.step_epochs), "solver.step_epochs must rise");
}

// LDAM's margins are cosines' (METHODS 1.5).
void check_margin(const LossSettings& loss, bool normalized, double temperature, const char* group) {
  const auto* margin = loss.type == "margin" ? dynamic_cast<const MarginOptions*>(&loss.chosen()) : nullptr;
  TS_CHECK(!margin || margin->form != "ldam" || (normalized && temperature == 1), "configuration: ", group,
           "loss.margin.form = \"ldam\" needs cosines: set ", group, "classifier = \"normalized\" and ", group,
           "normalized.temperature = 1 (the loss itself scales them by margin.scale)");
}

void check_margins(const Config& c) {
  const BoxHeadConfig& box = c.model.box_head;
  check_margin(box.loss, box.classifier == "normalized", box.normalized.temperature, "model.box_head.");
  if (!c.calibration.used()) return;
  const bool same = c.calibration.classifier == "detector";  // the detector's last layer
  const LossSettings& loss = c.calibration.loss.type == "detector" ? box.loss : c.calibration.loss;
  check_margin(loss, (same ? box.classifier : c.calibration.classifier) == "normalized",
               (same ? box.normalized : c.calibration.normalized).temperature, "calibration.");
}

void check_cascade(const ModelConfig& m) {
  if (m.meta != "cascade_mask_rcnn") return;
  const CascadeConfig& c = m.cascade;
  const size_t stages = c.iou_thresholds.size();
  TS_CHECK(stages >= 1 && c.bbox_weights.size() == 4 * stages && c.loss_weights.size() == stages,
           "configuration: model.cascade has ", stages, " iou_thresholds, ", c.loss_weights.size(),
           " loss_weights and ", c.bbox_weights.size(), " bbox_weights; a stage needs one, one and four");
  TS_CHECK(m.box_head.class_agnostic,
           "configuration: a cascade refines boxes without knowing their class; model.box_head.class_agnostic must be "
           "true");
}

void check_calibration(const CalibrationConfig& c) {
  if (!c.used()) return;
  const auto samplers = photo_samplers();
  const auto sampler = std::find_if(samplers.begin(), samplers.end(),
                                    [&](const PhotoSamplerRow& row) { return c.sampler.type == row.name; });
  TS_CHECK(c.proposals != "drawn_class" || (sampler != samplers.end() && sampler->draws_classes),
           "configuration: calibration.proposals = \"drawn_class\" keeps proposals of the class that a photo was drawn "
           "for, but calibration.sampler.type = \"",
           c.sampler.type, "\" draws photos without one; take bilevel or class_balanced, or proposals = \"all\"");
  TS_CHECK(c.solver.max_iters > 0 || c.solver.epochs > 0 || c.head == "tau",
           "configuration: calibration.solver.max_iters and calibration.solver.epochs are both 0");
  TS_CHECK(c.head != "tau" || (c.solver.max_iters <= 0 && c.solver.epochs <= 0),
           "configuration: calibration.head = \"tau\" trains nothing, so it has no steps (calibration.solver.max_iters "
           "and epochs are 0 with it)");
  TS_CHECK(rising(c.solver.steps) && rising(c.solver.step_epochs),
           "configuration: calibration.solver.steps and step_epochs must rise");
}

// Preset, recipe, then entries, then overrides.
Config resolve(std::vector<ConfigEntry> entries, const std::vector<std::string>& overrides) {
  Config config;
  const ConfigSchema schema = config_schema(config);
  for (const std::string& assignment : overrides) {
    ConfigEntry entry = parse_override(assignment);
    const ConfigField* field = schema.find(entry.key);
    if (field && field->is_text() && !std::holds_alternative<std::string>(entry.value.data)) {
      entry.value.data = assignment.substr(entry.key.size() + 1);  // --set output=123 means the text
    }
    entries.push_back(std::move(entry));
  }
  for (const ConfigEntry& entry : entries) {
    if (entry.key == "preset" || entry.key == "model.meta" || entry.key == "calibration.recipe") schema.apply(entry);
  }
  apply_preset(schema, config.preset, config.model.meta == "cascade_mask_rcnn");
  apply_recipe(schema, config.calibration.recipe);
  for (const ConfigEntry& entry : entries) schema.apply(entry);
  check_together(config);
  check_margins(config);
  check_cascade(config.model);
  check_calibration(config.calibration);
  return config;
}

}  // namespace

Config load_config(const std::string& path, const std::vector<std::string>& overrides) {
  std::vector<ConfigEntry> entries;
  std::vector<fs::path> open;
  if (!path.empty()) collect(path, "", open, entries);
  return resolve(std::move(entries), overrides);
}

Config parse_config(const std::string& toml, const std::string& source, const std::vector<std::string>& overrides) {
  return resolve(parse_toml(toml, source), overrides);
}

std::vector<std::string> changed_settings(const Config& before, const Config& now) {
  Config old = before, fresh = now;
  const ConfigSchema was = config_schema(old), is = config_schema(fresh);
  std::vector<std::string> lines;
  for (size_t i = 0; i < is.fields().size(); ++i) {
    const ConfigField& field = is.fields()[i];
    const std::string from = toml_text(was.fields()[i].get()), to = toml_text(field.get());
    if (from != to && field.key() != "output") lines.push_back(field.key() + ": " + from + " -> " + to);
  }
  return lines;
}

std::string config_toml(const Config& config, bool comments) {
  Config copy = config;
  return config_schema(copy).to_toml(comments);
}

double Config::learning_rate() const {
  return solver.scale_lr ? solver.base_lr * double(solver.ims_per_batch) / double(solver.reference_batch)
                         : solver.base_lr;
}

}  // namespace tailseg
