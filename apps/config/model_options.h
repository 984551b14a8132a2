// What `model.*` and `test.*` mean to the detector. With data_options.h, solver_options.h and calibration_options.h the
// only place where settings' words meet the libraries' structs.
#pragma once

#include <cstdint>

#include "apps/config/config.h"
#include "datasets/annotations.h"
#include "detection/mask_paste.h"
#include "detection/mask_rcnn.h"

namespace tailseg {

// What a classification loss may know of the training set: counts over all annotations of `set`.
ClassStatistics class_statistics(const AnnotationSet& set);

// `classes`: of the data; model.num_classes, when it is not 0, must agree. Throws Error when it does not.
// `statistics`: of the training set, needed to train with losses that weigh classes by their frequency.
MaskRcnnOptions model_options(const Config& config, int64_t classes, const ClassStatistics& statistics = {});
MathMode math_mode(const Config& config);  // of the model's context: TF32 belongs there, bfloat16 to the model
MaskPasteRule mask_paste_rule(const Config& config);

}  // namespace tailseg
