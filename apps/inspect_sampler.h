// tailseg-inspect --sampler: how often each class is seen in an epoch of a sampler, beside how often it is in the file.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "apps/config/config.h"
#include "datasets/annotations.h"

namespace tailseg {

// Photos or objects: in the file, on average in an epoch, and in the epoch that was drawn.
struct SeenCount {
  int64_t before = 0;
  double expected = 0;
  int64_t drawn = 0;
};

struct SamplerReport {
  std::string sampler, source, settings;  // "repeat_factor", the paper, "threshold 0.001, ..."
  int64_t epoch = 0, batch_size = 0;
  SeenCount photos;                                    // that may be drawn; `drawn` is filled up to whole batches
  int64_t most_shown = 0, shown = 0;                   // in the drawn epoch: of one photo; different photos
  std::vector<SeenCount> class_photos, class_objects;  // [classes]
};

// The sampler, its options and the conventions are those of `config`. Throws Error as make_photo_sampler does.
SamplerReport inspect_sampler(const AnnotationSet& set, const Config& config, int64_t epoch);

// `limit`: classes from each end to list, by objects in the file; 0: all.
void print_sampler(const AnnotationSet& set, const SamplerReport& report, int limit, std::ostream& out);
std::string sampler_json(const AnnotationSet& set, const SamplerReport& report);

}  // namespace tailseg
