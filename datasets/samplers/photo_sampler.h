// The samplers by name: which photos each epoch shows, and how often each is expected. A new sampler is one row of the
// list in photo_sampler.cpp.
//
// The kernels run on the CPU, in float64, whatever device trains: an epoch's order is needed where photos are read. It
// depends on the options, the seed and the epoch's number only, not on the number of threads.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "datasets/sampler.h"
#include "datasets/samplers/bilevel.h"
#include "datasets/samplers/repeat_factor.h"

namespace tailseg {

// Photos without an object to train on.
enum class EmptyPhotos : unsigned char {
  drop,     // never drawn
  keep,     // drawn like others by the samplers that draw photos; repeat factor 1
  as_class  // the same, but their repeat factor is that of one more class (mmdetection without filter_empty_gt)
};

struct PhotoSamplerOptions {
  int64_t batch_size = 16;
  uint64_t seed = 0;
  Convention rule = Convention::kMmdetection;  // which annotations count
  EmptyPhotos empty = EmptyPhotos::drop;
  bool aspect_grouping = true;  // samplers that draw photos: batches of wide or of tall ones only
  RepeatFactorOptions repeat;
  int64_t per_class = 1;      // samplers that draw classes: photos a visit
  int64_t epoch_batches = 0;  // likewise: length of an epoch; 0: as published
  int64_t class_cap = 100;    // bilevel
  double class_power = 0;     // bilevel
};

struct PhotoSampler {
  EpochOrder order;
  std::vector<double> expected;  // [images of the set] mean draws in an epoch, before filling up the last batch
  int64_t drawable = 0;          // photos that can be drawn
};

// What a sampler needs to know of the data. Photos are numbered as in AnnotationSet::images.
struct SamplingSet {
  const AnnotationSet& set;
  std::vector<int32_t> drawable;      // photos, ascending
  std::vector<int32_t> begin;         // [photos + 1] photo i shows label[begin[i]] .. label[begin[i + 1] - 1]
  std::vector<int32_t> label, photo;  // [objects] ascending by photo
};

struct PhotoSamplerRow {
  const char* name;    // in a configuration
  const char* source;  // the paper
  bool draws_classes;  // photos come through their classes; those without an object never do
  PhotoSampler (*make)(const SamplingSet& data, const PhotoSamplerOptions& options);
};
std::span<const PhotoSamplerRow> photo_samplers();

// The sampler called `name`. Throws Error for an unknown name, senseless options, and a set that the sampler cannot
// work on: nothing to draw, or no object for one that needs classes.
PhotoSampler make_photo_sampler(const std::string& name, const AnnotationSet& set, const PhotoSamplerOptions& options);

}  // namespace tailseg
