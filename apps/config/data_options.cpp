#include "apps/config/data_options.h"

#include <array>

#include "apps/config/word.h"

namespace tailseg {
namespace {

Convention convention(const std::string& word) {
  return word_to<Convention>(word, {{"mmdet", Convention::kMmdetection},
                                    {"torchvision", Convention::kTorchvision},
                                    {"detectron2", Convention::kDetectron2}});
}

std::array<float, 3> three(const std::vector<double>& values) {
  return {float(values[0]), float(values[1]), float(values[2])};
}

// height, width, height, width ...
std::vector<ImageSize> sizes_of(const std::vector<int64_t>& sides) {
  std::vector<ImageSize> sizes;
  for (size_t i = 0; i + 1 < sides.size(); i += 2) sizes.push_back({.width = sides[i + 1], .height = sides[i]});
  return sizes;
}

}  // namespace

InputConfig train_input(const Config& config) {
  const DataConfig& d = config.data;
  InputConfig input;
  input.size_rule = convention(d.size_rule);
  input.box_rule = convention(d.box_rule);
  input.target_rule = convention(d.target_rule);
  input.resampler = word_to<Resampler>(d.resize, {{"opencv", Resampler::kOpenCvLinear},
                                                  {"pillow", Resampler::kPillowTriangle},
                                                  {"torch", Resampler::kTorchLinear}});
  input.short_edges = d.scales;
  input.long_edge = d.max_size;
  input.flip_probability = d.flip_prob;
  input.mean = three(d.pixel_mean);
  input.std = three(d.pixel_std);
  input.pad_multiple = d.size_divisor;
  input.buckets = sizes_of(d.buckets);
  return input;
}

InputConfig test_input(const Config& config) {
  InputConfig input = train_input(config);
  input.short_edges = {config.data.test_scale};
  input.long_edge = config.data.test_max_size;
  input.buckets = sizes_of(config.data.test_buckets);
  input.flip_probability = 0;
  return input;
}

LoaderConfig loader_config(const Config& config, const std::string& images, bool training) {
  LoaderConfig loader;
  loader.root = images;
  loader.batch_size = training ? config.solver.ims_per_batch : 1;
  loader.workers = int(config.data.workers);
  loader.seed = uint64_t(config.train.seed);
  loader.augment = training;
  loader.targets = training;
  loader.masks = config.model.mask_head.targets == "polygon" ? MaskForm::kPolygons : MaskForm::kBitmaps;
  loader.on_bad_photo = config.data.on_bad_photo == "skip" ? BadPhoto::kSkip : BadPhoto::kStop;
  loader.epochs = training ? -1 : 1;
  return loader;
}

PhotoSamplerOptions sampler_options(const Config& config) {
  const SamplerConfig& s = config.train.sampler;
  PhotoSamplerOptions o;
  o.batch_size = config.solver.ims_per_batch;
  o.seed = uint64_t(config.train.seed);
  o.rule = convention(config.data.target_rule);
  o.empty = word_to<EmptyPhotos>(
      config.data.empty_photos,
      {{"drop", EmptyPhotos::drop}, {"keep", EmptyPhotos::keep}, {"as_class", EmptyPhotos::as_class}});
  o.aspect_grouping = config.data.aspect_grouping;
  o.repeat.threshold = s.threshold;
  o.repeat.exponent = s.exponent;
  o.repeat.frequency = word_to<RepeatFrequency>(
      s.frequency, {{"image", RepeatFrequency::image}, {"instance", RepeatFrequency::instance}});
  o.repeat.rounding =
      word_to<RepeatRounding>(s.rounding, {{"ceil", RepeatRounding::ceil}, {"stochastic", RepeatRounding::stochastic}});
  o.per_class = s.photos_per_class;
  o.epoch_batches = s.epoch_batches;
  o.class_cap = s.class_cap;
  o.class_power = s.class_power;
  return o;
}

}  // namespace tailseg
