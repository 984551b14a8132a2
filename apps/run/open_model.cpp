#include "apps/run/open_model.h"

#include <algorithm>

#include "apps/command_line.h"
#include "apps/config/model_options.h"
#include "apps/import/convert.h"
#include "apps/run/calibration_check.h"
#include "apps/run/model_file.h"

namespace tailseg {
namespace {

// What an imported file says about its input and its network, as settings.
std::vector<std::string> recorded_settings(const ModelFile& file) {
  std::vector<std::string> settings;
  const auto list = [&](const char* key, const char* setting) {
    const auto found = file.metadata.find(key);
    if (found == file.metadata.end()) return;
    std::string numbers = found->second;  // "123.675 116.28 103.53"
    std::replace(numbers.begin(), numbers.end(), ' ', ',');
    settings.push_back(text(setting, "=[", numbers, "]"));
  };
  const auto word = [&](const char* key, const char* setting) {
    const auto found = file.metadata.find(key);
    if (found != file.metadata.end()) settings.push_back(text(setting, "=", found->second));
  };
  list(kMetaPixelMean, "data.pixel_mean");
  list(kMetaPixelStd, "data.pixel_std");
  word(kMetaStrideIn1x1, "model.stride_in_1x1");
  word(kMetaBackbone, "model.backbone");
  return settings;
}

// From the rows of the classifier, the background among them.
int64_t classes_of(const ModelFile& file) {
  auto found = file.model.find("roi_heads.box_predictor.cls_score.weight");
  if (found == file.model.end()) found = file.model.find("roi_heads.box_predictor.0.cls_score.weight");  // a cascade
  TS_CHECK(found != file.model.end() && !found->second.shape.empty() && found->second.shape[0] >= 2, file.path,
           " holds no detector: it has no roi_heads.box_predictor.cls_score (train one with tailseg-train --weights)");
  return found->second.shape[0] - 1;
}

ClassList numbered(int64_t count) {
  ClassList list;
  for (int64_t id = 1; id <= count; ++id) {
    list.ids.push_back(id);
    list.names.push_back(text("class ", id));
  }
  return list;
}

void describe_imported(const ModelFile& file, const ModelSource& source, LoadedModel& loaded) {
  if (source.config.empty()) {
    throw UsageError(file.path +
                     " holds weights but no configuration; say with --config what model they are of "
                     "(apps/configs/mask_rcnn_r50_fpn_coco_1x.toml, with --set preset=torchvision for torchvision's)");
  }
  const auto background = file.metadata.find(kMetaBackground);
  TS_CHECK(background == file.metadata.end() || background->second == "last", file.path,
           ": its heads keep the background class first; import it without --keep-background-first");
  std::vector<std::string> settings = recorded_settings(file);
  settings.insert(settings.end(), source.settings.begin(), source.settings.end());
  loaded.config = load_config(source.config, settings);
  loaded.classes = numbered(classes_of(file));
  loaded.named = false;
}

// What --set says of a calibrated head must be true of the one that the file holds.
void check_calibration(const ModelFile& file, const std::vector<std::string>& settings, const Config& asked) {
  const Config stored = parse_config(file.required("config"), file.path + ", its configuration");
  for (const std::string& setting : settings) {
    TS_CHECK(stored.calibration.used() || !parse_override(setting).key.starts_with("calibration."), "--set ", setting,
             ": ", file.path, " has not been calibrated (tailseg-calibrate does that)");
  }
  check_same_calibration(stored, asked, file.path);
}

}  // namespace

void refuse_preset(const std::string& path, const std::vector<std::string>& settings) {
  for (const std::string& setting : settings) {
    if (parse_override(setting).key != "preset") continue;
    throw UsageError("--set " + setting + ": a preset is chosen before training, and " + path +
                     " knows its own configuration; change single settings, such as --set test.nms_threshold=0.5");
  }
}

LoadedModel open_model(Context& ctx, const ModelSource& source) {
  ModelFile file = read_model_file(checkpoint_file(source.checkpoint));
  LoadedModel loaded;
  loaded.path = file.path;
  if (file.has("config")) {
    if (!source.config.empty()) {
      throw UsageError(file.path + " knows its own configuration; change settings with --set, not --config");
    }
    refuse_preset(file.path, source.settings);
    loaded.config = parse_config(file.required("config"), file.path + ", its configuration", source.settings);
    loaded.classes = ClassList::parse(file.required("classes"), file.path);
    check_same_loss(file, loaded.config.model.box_head.loss.type,
                    "its scores mean nothing to another (train one from its weights with tailseg-train --weights)");
    check_calibration(file, source.settings, loaded.config);
  } else {
    describe_imported(file, source, loaded);
  }
  ctx.set_math(math_mode(loaded.config));
  loaded.store = std::make_unique<ParameterStore>(ctx, 0);
  loaded.model = std::make_unique<MaskRcnn>(
      *loaded.store, model_options(loaded.config, loaded.classes.size(), loaded.classes.statistics));
  check_complete(loaded.store->load_state_dict(file.model, file.path), file.path);
  return loaded;
}

void name_classes(LoadedModel& loaded, const AnnotationSet& set) {
  const int64_t count = loaded.classes.size(), categories = set.class_count();
  const int64_t largest = set.categories.empty() ? 0 : set.categories.back().id;
  if (count == categories) {
    loaded.classes = ClassList::of(set);
  } else {
    TS_CHECK(count == largest, loaded.path, " knows ", count, " classes; ", set.path, " has ", categories,
             " categories, the largest id being ", largest);
    for (const Category& category : set.categories) {
      if (category.id >= 1) loaded.classes.names[static_cast<size_t>(category.id - 1)] = category.name;
    }
  }
  loaded.named = true;
}

std::vector<int32_t> labels_in(const ClassList& classes, const AnnotationSet& set) {
  std::vector<int32_t> labels;
  for (const int64_t id : classes.ids) labels.push_back(set.label_of(id));
  return labels;
}

}  // namespace tailseg
