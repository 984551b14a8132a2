#include "apps/run/data_source.h"

#include <algorithm>
#include <filesystem>

#include "datasets/annotations_subset.h"
#include "tensor/error.h"

namespace tailseg {

namespace fs = std::filesystem;

namespace {

Split open_file(const DataConfig& d, bool train) {
  const fs::path root = d.root;
  fs::path annotations = root / (train ? d.train_annotations : d.val_annotations);
  fs::path images = root / (train ? d.train_images : d.val_images);
  const fs::path made = root / "annotations" / (train ? "train.json" : "val.json");
  const bool configured = !(train ? d.train_annotations : d.val_annotations).empty() && fs::exists(annotations);
  if (!configured && fs::exists(made)) {
    annotations = made;
    images = root / "images";
  } else {
    TS_CHECK(
        configured, "no annotation file for ", train ? "training" : "validation", ": neither data.",
        train ? "train" : "val", "_annotations (", annotations.string(), ") nor ", made.string(),
        " is there. Set data.root (where a program has it, --data-root) to the folder that holds the data; what is "
        "relative begins at the current folder, ",
        fs::current_path().string());
  }
  return {read_annotations(annotations.string()), images.string()};
}

// The images of data.val_image_ids, or all the others.
AnnotationSet part_of(const AnnotationSet& set, const std::vector<int64_t>& held_out, bool train) {
  std::vector<int32_t> wanted;
  for (const int64_t id : held_out) {
    TS_CHECK(set.image_index(id) >= 0, set.path, " has no image ", id, ", which data.val_image_ids names");
  }
  for (int32_t i = 0; i < set.images.size(); ++i) {
    const int64_t id = set.images.id[static_cast<size_t>(i)];
    const bool held = std::find(held_out.begin(), held_out.end(), id) != held_out.end();
    if (held != train) wanted.push_back(i);
  }
  return subset_of_images(set, wanted);
}

}  // namespace

bool has_split(const Config& config, SplitName name) {
  const DataConfig& d = config.data;
  if (name == SplitName::train || !d.val_image_ids.empty() || !d.val_annotations.empty()) return true;
  std::error_code error;
  return fs::exists(fs::path(d.root) / "annotations" / "val.json", error);
}

Split open_split(const Config& config, SplitName name) {
  const DataConfig& d = config.data;
  const bool train = name == SplitName::train, divided = !d.val_image_ids.empty();
  Split split = open_file(d, train || divided);
  if (divided) split.set = part_of(split.set, d.val_image_ids, train);
  TS_CHECK(split.set.class_count() > 0, split.set.path, " has no categories");
  if (d.format != "auto") {
    TS_CHECK(split.set.lvis == (d.format == "lvis"), split.set.path, " is in ", split.set.lvis ? "LVIS" : "COCO",
             " form, data.format says ", d.format);
  }
  return split;
}

std::string split_summary(const AnnotationSet& set) {
  std::string line =
      text(set.class_count(), " classes, ", set.images.size(), " images, ", set.annotations.size(), " annotations");
  int64_t rare = 0, common = 0, frequent = 0;
  for (const Category& category : set.categories) {
    rare += category.frequency == 'r';
    common += category.frequency == 'c';
    frequent += category.frequency == 'f';
  }
  if (rare + common + frequent > 0) {
    line += text("; ", rare, " rare, ", common, " common, ", frequent, " frequent classes");
  }
  if (!set.problems.empty()) line += text("; ", set.problems.size(), " problems (tailseg-inspect lists them)");
  return line;
}

}  // namespace tailseg
