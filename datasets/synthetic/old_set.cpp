#include "datasets/synthetic/old_set.h"

#include <algorithm>
#include <filesystem>

#include "datasets/json/json_value.h"
#include "datasets/json/mapped_text.h"
#include "datasets/synthetic/lvis_file.h"
#include "tensor/error.h"

namespace tailseg::synthetic {
namespace {

namespace fs = std::filesystem;

// The names that this program gives: the split, then an id of 12 digits or more. Whatever else a file names, as a path
// that leads elsewhere, is left alone.
bool is_own_name(const std::string& name, const std::string& split) {
  const size_t begin = split.size() + 1, end = name.find('.');
  if (!name.starts_with(split + '/') || end == std::string::npos || end < begin + 12) return false;
  const std::string ending = name.substr(end);
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  return std::all_of(name.begin() + static_cast<std::ptrdiff_t>(begin), name.begin() + static_cast<std::ptrdiff_t>(end),
                     digit) &&
         (ending == ".jpg" || ending == ".png");
}

void read_split(const std::string& folder, const std::string& split, OldSet& set) {
  const std::string path = folder + "/annotations/" + split + ".json", url(kPictureUrl);
  std::error_code error;
  if (!fs::exists(path, error)) return;
  JsonString description, address;
  JsonObject info, image, root("an annotation file");
  JsonList images("a list of images", image);
  image.add("coco_url", address, false);
  image.on_begin = [&] { address.value.clear(); };
  image.on_end = [&] {
    if (!address.value.starts_with(url)) return;
    const std::string name = address.value.substr(url.size());
    if (is_own_name(name, split)) set.pictures.push_back(folder + "/images/" + name);
  };
  info.add("description", description, false);
  root.add("info", info, false);
  root.add("images", images, false);
  const MappedText file(path);
  walk_json(file.text(), path, root, &file);
  TS_CHECK(description.value == kDescription, path,
           " was not made by tailseg-make-dataset, which replaces only what it made; choose another folder");
  set.annotations.push_back(path);
}

}  // namespace

OldSet read_old_set(const std::string& folder) {
  OldSet set;
  for (const char* split : {"train", "val"}) read_split(folder, split, set);
  return set;
}

void remove_old_set(const OldSet& set) {
  for (const auto* paths : {&set.annotations, &set.pictures}) {
    for (const std::string& path : *paths) {
      std::error_code error;
      fs::remove(path, error);
      TS_CHECK(!error, "removing ", path, " of the old set: ", error.message());
    }
  }
}

}  // namespace tailseg::synthetic
