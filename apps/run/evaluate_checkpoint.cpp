#include "apps/run/evaluate_checkpoint.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <ostream>

#include "apps/command_line.h"
#include "apps/picture/contact_sheet.h"
#include "apps/picture/overlay.h"
#include "apps/run/analysis.h"
#include "apps/run/device_choice.h"
#include "apps/run/model_evaluation.h"
#include "apps/run/open_model.h"
#include "apps/run_files/run_log.h"
#include "datasets/image_decode.h"
#include "datasets/image_encode.h"
#include "datasets/loader_targets.h"
#include "nn/atomic_file.h"

namespace tailseg {
namespace {

namespace fs = std::filesystem;

Split split_of(const EvaluateCheckpointOptions& options, const Config& config) {
  if (options.annotations.empty()) return open_split(config, SplitName::val);
  const std::string beside = fs::path(options.annotations).parent_path().string();
  return {read_annotations(options.annotations), options.images.empty() ? beside : options.images};
}

void check_classes(const Split& split, const LoadedModel& loaded) {
  const ClassList data = ClassList::of(split.set);
  TS_CHECK(data.ids == loaded.classes.ids, loaded.path, " knows ", loaded.classes.size(), " classes, ", split.set.path,
           " has ", data.size(), data.size() == loaded.classes.size() ? " with other ids" : "");
}

std::vector<PictureInstance> true_instances(const AnnotationSet& set, int32_t image) {
  std::vector<PictureInstance> instances;
  for (const int32_t a : set.by_image[image]) {
    const auto at = static_cast<size_t>(a);
    PictureInstance instance;
    instance.name = set.categories[static_cast<size_t>(set.annotations.label[at])].name;
    const std::array<double, 4>& box = set.annotations.box[at];
    instance.box = {box[0], box[1], box[0] + box[2], box[1] + box[3]};
    if (set.annotations.has_mask(a)) instance.set_mask(annotation_mask(set, a));
    instances.push_back(std::move(instance));
  }
  return instances;
}

std::vector<PictureInstance> found_instances(const AnnotationSet& set, const Detections& results, int32_t image) {
  constexpr double kDrawn = 0.5;
  std::vector<PictureInstance> instances;
  for (int64_t row = 0; row < results.size(); ++row) {
    const auto at = static_cast<size_t>(row);
    if (results.image[at] != image || results.score[at] < kDrawn) continue;
    PictureInstance instance;
    instance.name = set.categories[static_cast<size_t>(results.label[at])].name;
    instance.score = results.score[at];
    const Box& box = results.box[static_cast<size_t>(results.slot[at])];
    instance.box = {box[0], box[1], box[0] + box[2], box[1] + box[3]};
    instance.set_mask(results.decode_mask(row, set));
    instances.push_back(std::move(instance));
  }
  return instances;
}

// The first photos of the split, each as it is, as it was annotated, and as it was understood.
Image comparison(const Split& split, const Detections& results, int64_t count) {
  std::vector<SheetRow> rows;
  const auto most = static_cast<int32_t>(std::min<int64_t>(count, split.set.images.size()));
  for (int32_t i = 0; i < most; ++i) {
    const std::string& file = split.set.images.file[static_cast<size_t>(i)];
    const Image photo = read_image((fs::path(split.images) / file).string());
    rows.push_back({file,
                    {photo, draw_instances(photo, true_instances(split.set, i)),
                     draw_instances(photo, found_instances(split.set, results, i))}});
  }
  return contact_sheet({"photo", "ground truth", "found"}, rows);
}

}  // namespace

void evaluate_checkpoint(const EvaluateCheckpointOptions& model, const EvaluateResultsOptions& options,
                         std::ostream& out, std::ostream& log) {
  prepare_evaluation(options);
  if (model.analysis && options.type == "proposals") {
    throw UsageError("--analysis has the proposals' recall: leave out --type proposals");
  }
  Context ctx(device_of(model.device));
  std::vector<std::string> settings = model.settings;
  if (!model.data_root.empty()) settings.push_back("data.root=" + toml_text({model.data_root}));
  LoadedModel loaded = open_model(ctx, {model.checkpoint, model.config, settings});
  const Split split = split_of(model, loaded.config);
  if (loaded.named) {
    check_classes(split, loaded);
  } else {
    name_classes(loaded, split.set);
  }
  const std::vector<int32_t> labels = labels_in(loaded.classes, split.set);
  log << split.set.path << ": " << split_summary(split.set) << "\n";

  RunLog progress("");
  const bool proposals = options.type == "proposals";
  const EvaluationListener tell{
      [&](int64_t done, int64_t all) { progress.progress(text("image ", done, " of ", all)); },
      [&](const std::string& message) { log << "skipped: " << message << "\n"; }};
  const Detections results = proposals ? propose_split(ctx, *loaded.model, loaded.config, split, tell)
                                       : detect_split(ctx, *loaded.model, loaded.config, split, tell, labels);
  std::optional<ModelAnalysis> analysis;
  if (model.analysis) {
    analysis = analyse_split(ctx, *loaded.model, *loaded.store, loaded.config, split, tell, labels);
  }
  progress.end_progress();
  EvaluateResultsOptions scored = options;
  scored.always_mask_area = true;  // our results carry boxes for the box figures
  evaluate_detections(split.set, results, scored, out, log, analysis ? &*analysis : nullptr);
  if (options.output.empty() || proposals) return;
  const fs::path folder = options.output;
  write_results((folder / "results.json").string(), split.set, results);
  if (model.pictures > 0) {
    const std::vector<uint8_t> png = encode_png(comparison(split, results, model.pictures));
    write_file_atomically((folder / "pictures.png").string(), {reinterpret_cast<const char*>(png.data()), png.size()});
  }
}

}  // namespace tailseg
