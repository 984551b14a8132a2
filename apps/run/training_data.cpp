#include "apps/run/training_data.h"

#include "apps/config/model_options.h"
#include "apps/run/class_list.h"
#include "datasets/annotations_subset.h"

namespace tailseg {

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

std::vector<int64_t> instances_by_label(const AnnotationSet& set) {
  std::vector<int64_t> count(static_cast<size_t>(set.class_count()), 0);
  for (const int32_t label : set.annotations.label) ++count[static_cast<size_t>(label)];
  return count;
}

}  // namespace tailseg
