#include "apps/run/model_file.h"

#include <charconv>
#include <filesystem>

#include "apps/import/convert.h"
#include "nn/checkpoint_folder.h"
#include "nn/safetensors.h"
#include "tensor/error.h"

namespace tailseg {
namespace {

constexpr const char* kOptimizerPrefix = "optimizer.";

}  // namespace

const std::string& ModelFile::required(const std::string& key) const {
  const auto found = metadata.find(key);
  TS_CHECK(found != metadata.end(), path, " is not a checkpoint of tailseg-train: its metadata has no '", key,
           "' (start from weights with --weights instead)");
  return found->second;
}

int64_t ModelFile::number(const std::string& key) const {
  const std::string& digits = required(key);
  int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  TS_CHECK(error == std::errc() && end == digits.data() + digits.size(), path, ": metadata ", key, " = '", digits,
           "' is no number");
  return value;
}

ModelFile read_model_file(const std::string& path) {
  ModelFile out{path, {}, {}, {}};
  HostTensors tensors;
  if (path.ends_with(".pth") || path.ends_with(".pt") || path.ends_with(".pkl") || path.ends_with(".pyth")) {
    ImportResult imported = convert_weights(read_weights(path));
    tensors = std::move(imported.tensors);
    out.metadata = std::move(imported.metadata);
  } else {
    TensorFile file = read_safetensors(path);
    tensors = std::move(file.tensors);
    out.metadata = std::move(file.metadata);
  }
  for (auto& [name, tensor] : tensors) {
    (name.starts_with(kOptimizerPrefix) ? out.optimizer : out.model)[name] = std::move(tensor);
  }
  return out;
}

std::string checkpoint_file(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (!fs::is_directory(path, error)) return path;
  const fs::path inner = fs::path(path) / "checkpoints";
  const auto newest = CheckpointFolder((fs::is_directory(inner, error) ? inner : fs::path(path)).string()).newest();
  TS_CHECK(newest, path, ": the folder holds no checkpoint (iter_*.safetensors, in itself or in checkpoints/)");
  return newest->path;
}

std::string listed(const std::vector<std::string>& names) {
  std::string out;
  for (size_t i = 0; i < names.size() && i < 10; ++i) out += (i ? ", " : "") + names[i];
  if (names.size() > 10) out += text(", ... (", names.size(), " in all)");
  return out;
}

bool is_gradient_record(const std::string& name) { return name.ends_with(".class_gradients"); }

void check_complete(const ParameterStore::LoadReport& report, const std::string& path) {
  const auto of_the_model = [](std::vector<std::string> names) {
    std::erase_if(names, is_gradient_record);
    return names;
  };
  const std::vector<std::string> missing = of_the_model(report.missing), unexpected = of_the_model(report.unexpected);
  TS_CHECK(missing.empty(), path, " is of another model; it lacks ", listed(missing));
  TS_CHECK(unexpected.empty(), path, " is of another model; the model has no ", listed(unexpected));
}

void check_same_loss(const ModelFile& file, const std::string& configured, const std::string& way_out) {
  const auto found = file.metadata.find("class_loss");
  const std::string loss = found == file.metadata.end() ? "softmax" : found->second;
  TS_CHECK(loss == configured, file.path, " was trained with the classification loss '", loss,
           "', the configuration asks for '", configured, "'; ", way_out);
}

}  // namespace tailseg
