// A Config as the options of the rooms below: the only place where settings' words meet the libraries' structs.
#pragma once

#include <cstdint>

#include "apps/config/config.h"
#include "datasets/image_transform.h"
#include "datasets/loader.h"
#include "datasets/samplers/photo_sampler.h"
#include "detection/mask_paste.h"
#include "detection/mask_rcnn.h"
#include "nn/optimizer.h"
#include "nn/schedule.h"

namespace tailseg {

// What a classification loss may know of the training set: counts over all annotations of `set`.
ClassStatistics class_statistics(const AnnotationSet& set);

// `classes`: of the data; model.num_classes, when it is not 0, must agree. Throws Error when it does not.
// `statistics`: of the training set, needed to train with losses that weigh classes by their frequency.
MaskRcnnOptions model_options(const Config& config, int64_t classes, const ClassStatistics& statistics = {});
MathMode math_mode(const Config& config);  // of the model's context: TF32 belongs there, bfloat16 to the model
MaskPasteRule mask_paste_rule(const Config& config);

InputConfig train_input(const Config& config);
InputConfig test_input(const Config& config);  // one scale, no flip
// Batch size, workers, seed, mask form; root is `images`, the folder of the photos.
LoaderConfig loader_config(const Config& config, const std::string& images, bool training);
PhotoSamplerOptions sampler_options(const Config& config);

OptimizerOptions optimizer_options(const Config& config);
// The run's length in steps, from max_iters or epochs.
int64_t total_iterations(const Config& config, int64_t iterations_per_epoch);
Schedule learning_rate_schedule(const Config& config, int64_t iterations_per_epoch);

}  // namespace tailseg
