#include "apps/run/checkpoint.h"

#include <algorithm>
#include <iterator>

#include "apps/import/convert.h"
#include "apps/run/calibration_check.h"
#include "apps/run/model_file.h"
#include "detection/calibration/calibrated_head.h"
#include "nn/safetensors.h"

namespace tailseg {
namespace {

bool is_predictor(const std::string& name) {
  return name.find("box_predictor.") != std::string::npos || name.find("mask_fcn_logits.") != std::string::npos;
}

bool is_loss_state(const std::string& name) { return name.find(".loss.") != std::string::npos; }

}  // namespace

void save_checkpoint(const std::string& path, const Config& config, const ClassList& classes,
                     const ParameterStore& store, const Optimizer& optimizer, const TrainingState& state) {
  Config stored = config;
  stored.output.clear();  // where a run is kept is no part of what it is
  HostTensors tensors = store.state_dict();
  for (auto& [name, tensor] : optimizer.state_dict()) tensors[name] = std::move(tensor);
  TextMap metadata{{"format", "tailseg checkpoint 1"},
                   {kMetaBackground, "last"},
                   {"iteration", std::to_string(state.iteration)},
                   {"loader_epoch", std::to_string(state.position.epoch)},
                   {"loader_batch", std::to_string(state.position.batch)},
                   {"optimizer_steps", std::to_string(optimizer.steps())},
                   {"config", config_toml(stored, false)},
                   {"class_loss", config.model.box_head.loss.type},
                   {"classes", classes.json()}};
  write_safetensors(path, tensors, metadata);
}

TrainingState load_training(const std::string& path, const Config& config, const ClassList& classes,
                            ParameterStore& store, Optimizer& optimizer) {
  const ModelFile file = read_model_file(path);
  const ClassList stored = ClassList::parse(file.required("classes"), path);
  TS_CHECK(stored == classes, path, " was trained on other classes: ", stored.size(), " of them, the data has ",
           classes.size(), stored.size() == classes.size() ? ", with other ids or names" : "");
  check_same_loss(file, config.model.box_head.loss.type,
                  "go on with the first, or start a new run from its weights with --weights");
  const Config begun = parse_config(file.required("config"), path + ", its configuration");
  check_same_calibration(begun, config, path);
  const ClassStatistics &before = stored.statistics, &now = classes.statistics;
  TS_CHECK(before.images.empty() || (before.images == now.images && before.instances == now.instances), path,
           " was trained on a set with other numbers of images or instances of its classes; a run resumes on the set "
           "that it began with (start a new one from its weights with --weights)");
  const ParameterStore::LoadReport report = store.load_state_dict(file.model, path);
  check_complete(report, path);
  optimizer.load_state_dict(file.optimizer, file.number("optimizer_steps"), path);
  return {file.number("iteration"),
          {file.number("loader_epoch"), file.number("loader_batch")},
          !report.missing.empty(),
          changed_settings(begun, config)};
}

std::vector<std::string> load_loss_state(const std::string& path, const ClassList& classes, ParameterStore& store) {
  const ModelFile file = read_model_file(checkpoint_file(path));
  const ClassList stored = ClassList::parse(file.required("classes"), file.path);
  TS_CHECK(stored == classes, file.path, " counted other classes: ", stored.size(), " of them, the data has ",
           classes.size(), stored.size() == classes.size() ? ", with other ids or names" : "",
           "; model.box_head.loss_state must come from a run on the same classes");
  HostTensors state;
  for (const auto& [name, tensor] : file.model) {
    if (is_loss_state(name) && !is_calibrated(name)) state[name] = tensor;
  }
  TS_CHECK(!state.empty(), file.path,
           " holds no state of a classification loss; model.box_head.loss_state needs one "
           "that was trained with a loss that has state (detection/losses/README.md)");
  const ParameterStore::LoadReport report = store.load_state_dict(state, file.path);
  TS_CHECK(report.unexpected.empty(), file.path, " holds the state of another loss: the model has no ",
           listed(report.unexpected));
  std::vector<std::string> names;
  for (const auto& entry : state) names.push_back(entry.first);
  return {text(file.path, ": state of the classification loss: ", listed(names))};
}

std::vector<std::string> load_weights(const std::string& path, const Config& config, const ClassList& classes,
                                      ParameterStore& store) {
  ModelFile file = read_model_file(path);
  const auto stride = file.metadata.find(kMetaStrideIn1x1);
  TS_CHECK(stride == file.metadata.end() || (stride->second == "true") == config.model.stride_in_1x1, path,
           ": its ResNet ", stride->second == "true" ? "strides" : "does not stride",
           " in the first 1x1 convolution; set model.stride_in_1x1=", stride->second);
  const auto background = file.metadata.find(kMetaBackground);
  TS_CHECK(
      background == file.metadata.end() || background->second == "last", path,
      ": its heads keep the background class first; convert it with tailseg-import without --keep-background-first");
  // What a loss counted on other classes says nothing about these.
  const bool same_classes = !file.has("classes") || ClassList::parse(file.required("classes"), path) == classes;
  HostTensors tensors = std::move(file.model);
  std::erase_if(tensors, [](const auto& entry) { return is_gradient_record(entry.first); });
  std::vector<std::string> left_out;
  const HostTensors mine = store.state_dict();
  for (auto it = tensors.begin(); it != tensors.end();) {
    const auto own = mine.find(it->first);
    const bool other_shape = own != mine.end() && own->second.shape != it->second.shape && is_predictor(it->first);
    const bool other_classes = other_shape || (own != mine.end() && !same_classes && is_loss_state(it->first));
    if (other_classes) left_out.push_back(it->first);
    it = other_classes ? tensors.erase(it) : std::next(it);
  }
  const size_t offered = tensors.size();
  const ParameterStore::LoadReport report = store.load_state_dict(tensors, path);
  TS_CHECK(report.unexpected.size() < offered, path, ": none of its ", offered,
           " tensors has a name of this model; convert it with tailseg-import first");
  std::vector<std::string> lines{text(path, ": ", offered - report.unexpected.size(), " tensors loaded")};
  if (!left_out.empty()) lines.push_back("left as initialised, other classes: " + listed(left_out));
  std::vector<std::string> missing;
  for (const std::string& name : report.missing) {
    if (std::find(left_out.begin(), left_out.end(), name) == left_out.end()) missing.push_back(name);
  }
  if (!missing.empty()) lines.push_back("not in the file, left as initialised: " + listed(missing));
  if (!report.unexpected.empty()) lines.push_back("in the file only: " + listed(report.unexpected));
  return lines;
}

}  // namespace tailseg
