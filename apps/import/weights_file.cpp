#include "apps/import/weights_file.h"

#include <algorithm>
#include <memory>

#include "apps/import/mapped_file.h"
#include "apps/import/pickle.h"
#include "apps/import/pickled_tensors.h"
#include "apps/import/torch_archive.h"
#include "nn/safetensors.h"
#include "tensor/error.h"

namespace tailseg {
namespace {

// What a file may expand to: shared storages make this larger than the file, but never by much.
uint64_t budget_of(std::span<const std::byte> bytes) { return 8 * uint64_t(bytes.size()) + (uint64_t(64) << 20); }

bool is_dict(const PickleValue& value) {
  return value.kind == PickleKind::kDict || (value.kind == PickleKind::kObject && !value.items.empty());
}

bool holds_tensors(const PickleValue& value) {
  if (!is_dict(value)) return false;
  for (size_t i = 1; i < value.items.size(); i += 2) {
    if (is_tensor(*value.items[i])) return true;
  }
  return false;
}

// The state dict: the root itself, or what lies under one of the names that training code uses, up to three deep.
const PickleValue* state_dict(const PickleValue& root, std::vector<std::string>& ignored) {
  const PickleValue* at = &root;
  for (int depth = 0; depth < 4; ++depth) {
    if (holds_tensors(*at)) return at;
    const PickleValue* next = nullptr;
    for (const char* key : {"state_dict", "model", "model_state", "model_state_dict", "blobs", "net", "module"}) {
      const PickleValue* inner = at->find(key);
      if (!inner || !is_dict(*inner)) continue;
      next = inner;
      break;
    }
    if (!next) return nullptr;
    for (size_t i = 0; i + 1 < at->items.size(); i += 2) {
      if (at->items[i + 1] != next && at->items[i]->is_text()) ignored.emplace_back(at->items[i]->text);
    }
    at = next;
  }
  return nullptr;
}

void read_notes(const PickleValue& root, WeightsFile& file) {
  if (const PickleValue* author = root.find("__author__")) file.author = author->text;
  const PickleValue* meta = root.find("meta");
  if (!meta) return;
  for (const char* key : {"cfg", "config"}) {
    const PickleValue* config = meta->find(key);
    if (config && config->is_text()) file.config = config->text;
  }
  const PickleValue* holder = meta->find("dataset_meta");  // 3.x; 2.x has CLASSES in meta itself
  for (const PickleValue* place : {meta, holder}) {
    for (const char* key : {"CLASSES", "classes"}) {
      const PickleValue* classes = place ? place->find(key) : nullptr;
      if (!classes || !classes->is_sequence()) continue;
      file.classes.clear();
      for (const PickleValue* name : classes->items) file.classes.emplace_back(name->text);
    }
  }
}

void read_tensors(const PickleValue& root, const StorageBytes& storage, ByteBudget budget, WeightsFile& file) {
  const PickleValue* dict = state_dict(root, file.ignored);
  if (!dict && root.kind == PickleKind::kObject && root.callable->kind == PickleKind::kGlobal) {
    fail(file.path, ": the file holds a pickled ", root.callable->text,
         " object, which only its own Python code can read; save model.state_dict() instead");
  }
  TS_CHECK(dict, file.path, ": no tensors found, neither at the top nor under state_dict, model or model_state");
  for (size_t i = 0; i + 1 < dict->items.size(); i += 2) {
    const PickleValue& key = *dict->items[i];
    const PickleValue& value = *dict->items[i + 1];
    TS_CHECK(key.is_text() && key.text.size() <= 1000, file.path, ": a state dict key is no text, or far too long");
    if (!is_tensor(value)) {  // counters, class lists, inert objects
      file.ignored.emplace_back(key.text);
      continue;
    }
    const std::string name(key.text);
    HostTensor tensor = tensor_of(value, text(file.path, ": tensor '", name, "'"), storage, budget);
    TS_CHECK(file.tensors.emplace(name, std::move(tensor)).second, file.path, ": the name '", name, "' occurs twice");
  }
  read_notes(root, file);
}

bool looks_like_safetensors(std::span<const std::byte> bytes) {
  return bytes.size() >= 9 && bytes[8] == std::byte('{') && bytes[7] == std::byte(0);
}

bool looks_like_pickle(std::span<const std::byte> bytes) {
  return bytes.size() >= 3 && bytes[0] == std::byte(0x80) && bytes[1] <= std::byte(5);
}

bool looks_like_tar(std::span<const std::byte> bytes) {
  const std::string mark = "ustar";
  return bytes.size() > 512 && std::equal(mark.begin(), mark.end(), bytes.begin() + 257,
                                          [](char c, std::byte b) { return std::byte(c) == b; });
}

}  // namespace

WeightsFile parse_weights(std::span<const std::byte> bytes, const std::string& path) {
  WeightsFile file;
  file.path = path;
  const ByteBudget budget{budget_of(bytes)};
  if (looks_like_safetensors(bytes)) {
    file.format = "safetensors";
    TensorFile contents = parse_safetensors(bytes, path);
    file.tensors = std::move(contents.tensors);
    file.metadata = std::move(contents.metadata);
  } else if (looks_like_zip(bytes) || looks_like_legacy_torch(bytes)) {
    const bool zip = looks_like_zip(bytes);
    file.format = zip ? "PyTorch zip" : "PyTorch legacy";
    const auto archive = zip ? open_torch_zip(bytes, path) : open_legacy_torch(bytes, path);
    read_tensors(
        archive->root(), [&](const StorageName& name) { return archive->storage(name); }, budget, file);
  } else if (looks_like_pickle(bytes)) {
    file.format = "pickle";
    const Pickle pickle(bytes, path);
    const auto none = [&](const StorageName& name) -> std::span<const std::byte> {
      fail(path, ": storage '", name.key, "' is named, but a plain pickle holds none");
    };
    read_tensors(pickle.root(), none, budget, file);
  } else {
    TS_CHECK(!looks_like_tar(bytes), path,
             ": a tar archive as PyTorch wrote before 0.1.10; open it with a newer PyTorch "
             "and save it again");
    fail(path,
         ": not a weight file that is known here; expected safetensors, PyTorch .pth (zip or legacy) or a pickle "
         "of NumPy arrays");
  }
  TS_CHECK(!file.tensors.empty(), path, ": the file holds no tensors");
  return file;
}

WeightsFile read_weights(const std::string& path) {
  const MappedFile file(path);
  return parse_weights(file.bytes(), path);
}

}  // namespace tailseg
