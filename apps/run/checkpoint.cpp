#include "apps/run/checkpoint.h"

#include <algorithm>
#include <charconv>

#include "apps/config/model_options.h"
#include "apps/import/convert.h"
#include "nn/safetensors.h"

namespace tailseg {
namespace {

constexpr const char* kOptimizerPrefix = "optimizer.";

const std::string& required(const TextMap& metadata, const std::string& key, const std::string& path) {
  const auto found = metadata.find(key);
  TS_CHECK(found != metadata.end(), path, " is not a checkpoint of tailseg-train: its metadata has no '", key,
           "' (start from weights with --weights instead)");
  return found->second;
}

int64_t number(const TextMap& metadata, const std::string& key, const std::string& path) {
  const std::string& digits = required(metadata, key, path);
  int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  TS_CHECK(error == std::errc() && end == digits.data() + digits.size(), path, ": metadata ", key, " = '", digits,
           "' is no number");
  return value;
}

// The model's part and the optimiser's part of a file.
struct Parts {
  HostTensors model, optimizer;
};

Parts split(HostTensors tensors) {
  Parts parts;
  for (auto& [name, tensor] : tensors) {
    (name.starts_with(kOptimizerPrefix) ? parts.optimizer : parts.model)[name] = std::move(tensor);
  }
  return parts;
}

std::string listed(const std::vector<std::string>& names) {
  std::string out;
  for (size_t i = 0; i < names.size() && i < 10; ++i) out += (i ? ", " : "") + names[i];
  if (names.size() > 10) out += text(", ... (", names.size(), " in all)");
  return out;
}

void check_complete(const ParameterStore::LoadReport& report, const std::string& path) {
  TS_CHECK(report.missing.empty(), path, " is of another model; it lacks ", listed(report.missing));
  TS_CHECK(report.unexpected.empty(), path, " is of another model; the model has no ", listed(report.unexpected));
}

bool is_predictor(const std::string& name) {
  return name.find("box_predictor.") != std::string::npos || name.find("mask_fcn_logits.") != std::string::npos;
}

}  // namespace

void save_checkpoint(const std::string& path, const Config& config, const ClassList& classes,
                     const ParameterStore& store, const Optimizer& optimizer, const TrainingState& state) {
  Config stored = config;
  stored.output.clear();  // where a run is kept is no part of what it is
  HostTensors tensors = store.state_dict();
  for (auto& [name, tensor] : optimizer.state_dict()) tensors[name] = std::move(tensor);
  const TextMap metadata{{"format", "tailseg checkpoint 1"},
                         {kMetaBackground, "last"},
                         {"iteration", std::to_string(state.iteration)},
                         {"loader_epoch", std::to_string(state.position.epoch)},
                         {"loader_batch", std::to_string(state.position.batch)},
                         {"optimizer_steps", std::to_string(optimizer.steps())},
                         {"config", config_toml(stored, false)},
                         {"classes", classes.json()}};
  write_safetensors(path, tensors, metadata);
}

TrainingState load_training(const std::string& path, const ClassList& classes, ParameterStore& store,
                            Optimizer& optimizer) {
  TensorFile file = read_safetensors(path);
  const ClassList stored = ClassList::parse(required(file.metadata, "classes", path), path);
  TS_CHECK(stored == classes, path, " was trained on other classes: ", stored.size(), " of them, the data has ",
           classes.size(), stored.size() == classes.size() ? ", with other ids or names" : "");
  const Parts parts = split(std::move(file.tensors));
  check_complete(store.load_state_dict(parts.model, path), path);
  optimizer.load_state_dict(parts.optimizer, number(file.metadata, "optimizer_steps", path), path);
  return {number(file.metadata, "iteration", path),
          {number(file.metadata, "loader_epoch", path), number(file.metadata, "loader_batch", path)}};
}

std::vector<std::string> load_weights(const std::string& path, const Config& config, ParameterStore& store) {
  TensorFile file = read_safetensors(path);
  const auto stride = file.metadata.find(kMetaStrideIn1x1);
  TS_CHECK(stride == file.metadata.end() || (stride->second == "true") == config.model.stride_in_1x1, path,
           ": its ResNet ", stride->second == "true" ? "strides" : "does not stride",
           " in the first 1x1 convolution; set model.stride_in_1x1=", stride->second);
  const auto background = file.metadata.find(kMetaBackground);
  TS_CHECK(
      background == file.metadata.end() || background->second == "last", path,
      ": its heads keep the background class first; convert it with tailseg-import without --keep-background-first");
  HostTensors tensors = split(std::move(file.tensors)).model;
  std::vector<std::string> left_out;
  const HostTensors mine = store.state_dict();
  for (auto it = tensors.begin(); it != tensors.end();) {
    const auto own = mine.find(it->first);
    const bool other_classes = own != mine.end() && own->second.shape != it->second.shape && is_predictor(it->first);
    if (other_classes) left_out.push_back(it->first);
    it = other_classes ? tensors.erase(it) : std::next(it);
  }
  const size_t offered = tensors.size();
  const ParameterStore::LoadReport report = store.load_state_dict(tensors, path);
  TS_CHECK(report.unexpected.size() < offered, path, ": none of its ", offered,
           " tensors has a name of this model; convert it with tailseg-import first");
  std::vector<std::string> lines{text(path, ": ", offered - report.unexpected.size(), " tensors loaded")};
  if (!left_out.empty()) lines.push_back("left as initialised, other number of classes: " + listed(left_out));
  std::vector<std::string> missing;
  for (const std::string& name : report.missing) {
    if (std::find(left_out.begin(), left_out.end(), name) == left_out.end()) missing.push_back(name);
  }
  if (!missing.empty()) lines.push_back("not in the file, left as initialised: " + listed(missing));
  if (!report.unexpected.empty()) lines.push_back("in the file only: " + listed(report.unexpected));
  return lines;
}

LoadedModel load_model(Context& ctx, const std::string& path, const std::vector<std::string>& overrides) {
  TensorFile file = read_safetensors(path);
  LoadedModel loaded;
  loaded.config = parse_config(required(file.metadata, "config", path), path + ", its configuration", overrides);
  loaded.classes = ClassList::parse(required(file.metadata, "classes", path), path);
  loaded.store = std::make_unique<ParameterStore>(ctx, 0);
  loaded.model = std::make_unique<MaskRcnn>(*loaded.store, model_options(loaded.config, loaded.classes.size()));
  check_complete(loaded.store->load_state_dict(split(std::move(file.tensors)).model, path), path);
  return loaded;
}

}  // namespace tailseg
