// What `data.*`, `train.sampler.*` and the sizes of a batch mean to the loader and the samplers.
#pragma once

#include <string>

#include "apps/config/config.h"
#include "datasets/image_transform.h"
#include "datasets/loader.h"
#include "datasets/samplers/photo_sampler.h"

namespace tailseg {

InputConfig train_input(const Config& config);
InputConfig test_input(const Config& config);  // one scale, no flip

// Batch size, workers, seed, mask form; root is `images`, the folder of the photos.
LoaderConfig loader_config(const Config& config, const std::string& images, bool training);
PhotoSamplerOptions sampler_options(const Config& config);

}  // namespace tailseg
