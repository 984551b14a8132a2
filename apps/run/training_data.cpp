#include "apps/run/training_data.h"

#include <algorithm>

#include "apps/config/data_options.h"
#include "apps/run/class_list.h"
#include "datasets/annotations_subset.h"

namespace tailseg {
namespace {

bool draws_photos(const std::string& sampler) {
  const auto rows = photo_samplers();
  return std::any_of(rows.begin(), rows.end(),
                     [&](const PhotoSamplerRow& row) { return sampler == row.name && !row.draws_classes; });
}

}  // namespace

TrainingData open_training(const Config& config, const TrainOptions& options) {
  TrainingData data;
  data.split = open_split(config, SplitName::train);
  data.input = train_input(config);
  const PhotoSamplerOptions sampling = sampler_options(config);
  std::vector<int32_t> images = trainable_images(data.split.set, sampling.rule);
  TS_CHECK(!images.empty(), data.split.set.path, ": no image has an annotation to train on (",
           split_summary(data.split.set), "). Do the categories match?");
  if (options.overfit > 0) {
    TS_CHECK(options.overfit <= static_cast<int64_t>(images.size()), "--overfit ", options.overfit, ": only ",
             images.size(), " images of ", data.split.set.path, " can be trained on");
    images.resize(static_cast<size_t>(options.overfit));
    data.split.set = subset_of_images(data.split.set, images);
  }
  const PhotoSampler sampler = make_photo_sampler(config.train.sampler.type, data.split.set, sampling);
  const int64_t batch = config.solver.ims_per_batch;
  data.images = sampler.drawable;
  data.order = sampler.order;
  data.one_orientation = sampling.aspect_grouping && draws_photos(config.train.sampler.type);
  data.batches_in_epoch = (static_cast<int64_t>(data.order(0).images.size()) + batch - 1) / batch;
  data.loading = loader_config(config, data.split.images, true);
  data.loading.augment = options.overfit == 0;
  if (!options.detector.empty()) data.loading.masks = MaskForm::kPolygons;  // calibration looks at no mask: the cheaper
  if (options.overfit > 0) {
    data.val = std::make_unique<Split>(data.split);
  } else if (has_split(config, SplitName::val)) {
    data.val = std::make_unique<Split>(open_split(config, SplitName::val));
    TS_CHECK(ClassList::of(data.val->set) == ClassList::of(data.split.set), data.val->set.path,
             " has other categories than ", data.split.set.path);
  }
  return data;
}

std::string padding_summary(const Config& config, const TrainingData& data) {
  const InputConfig& input = data.input;
  if (input.buckets.empty()) {
    return config.train.capture ? "data.buckets is empty: a step is captured anew for every size of batch, 16 at most"
                                : "";
  }
  const Images& images = data.split.set.images;
  const int64_t edge = *std::max_element(input.short_edges.begin(), input.short_edges.end());
  int64_t outside = 0;
  for (int32_t i = 0; i < images.size(); ++i) {
    const auto at = static_cast<size_t>(i);
    const ImageSize size = resized_size({images.width[at], images.height[at]}, edge, input.long_edge, input.size_rule);
    const ImageSize padded = padded_size({&size, 1}, input);
    outside += std::find(input.buckets.begin(), input.buckets.end(), padded) == input.buckets.end();
  }
  std::string line = "batches are padded to the sizes of data.buckets";
  if (!data.one_orientation) line += "; those that mix wide and tall images may fit none of them";
  if (outside > 0) {
    line +=
        text("; ", outside, " of ", images.size(), " images fit none of them: their batches keep sizes of their own");
  }
  return line;
}

std::vector<int64_t> instances_by_label(const AnnotationSet& set) {
  std::vector<int64_t> count(static_cast<size_t>(set.class_count()), 0);
  for (const int32_t label : set.annotations.label) ++count[static_cast<size_t>(label)];
  return count;
}

}  // namespace tailseg
