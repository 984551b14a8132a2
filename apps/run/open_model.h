// A model for evaluation and prediction, from what people have: a checkpoint of tailseg-train, which knows its own
// configuration and classes, or anybody's detector (tailseg-import, .pth, .pkl), which needs both.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "apps/config/config.h"
#include "apps/run/class_list.h"
#include "detection/mask_rcnn.h"

namespace tailseg {

struct ModelSource {
  std::string checkpoint;             // a file, or the folder of a run: its newest checkpoint
  std::string config;                 // for weights without a configuration of their own: a TOML file
  std::vector<std::string> settings;  // "key=value" on top of either
};

struct LoadedModel {
  std::string path;  // of the file that was read
  Config config;
  ClassList classes;
  bool named = true;  // false: the weights know only how many classes there are; they are numbered from 1
  std::unique_ptr<ParameterStore> store;
  std::unique_ptr<MaskRcnn> model;
};

// Sets ctx to the configuration's precision. Pixel statistics, stride and backbone that an imported file records come
// before the settings. Throws Error for weights that need --config, for a checkpoint that must not have one, and, with
// names and shapes, for weights of another model.
LoadedModel open_model(Context& ctx, const ModelSource& source);

// A checkpoint's configuration has a value for every setting, so a preset beneath them would change nothing: throws
// UsageError where one is set for the checkpoint at `path`.
void refuse_preset(const std::string& path, const std::vector<std::string>& settings);

// Gives numbered classes the categories of an annotation file: the l-th category to label l (mmdetection, detectron2),
// or, where the weights have as many classes as the largest id, category l + 1 to label l (torchvision's 90 for COCO's
// 80). Throws Error when the numbers fit neither.
void name_classes(LoadedModel& loaded, const AnnotationSet& set);

// For each of the model's labels the label of the same category in `set`, -1 where it has none.
std::vector<int32_t> labels_in(const ClassList& classes, const AnnotationSet& set);

}  // namespace tailseg
