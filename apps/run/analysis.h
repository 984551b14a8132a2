// Where a model loses its classes: recall of its proposals, its figures if every proposal were classified rightly, the
// classes' accuracy, the weight norms of the rows that score them (where heads are averaged, the calibrated one's), and
// the ratio of their gradients where training has summed them. Runs the model twice over the split.
#pragma once

#include "apps/run/model_evaluation.h"

namespace tailseg {

// `labels` and `listener` as in detect_split; `store` holds the model's parameters.
ModelAnalysis analyse_split(Context& ctx, MaskRcnn& model, const ParameterStore& store, const Config& config,
                            const Split& split, const EvaluationListener& listener, const std::vector<int32_t>& labels);

// Euclidean norm of each class's row of the box head's last layer (of a cascade's last stage), by the model's labels:
// of the detector's own, or of the calibrated head's. `columns`: the row of each class; empty: row c is class c. Empty
// when the model has no such layer.
std::vector<double> classifier_norms(Context& ctx, const ParameterStore& store, int64_t classes,
                                     const std::vector<int32_t>& columns = {}, bool calibrated = false);

}  // namespace tailseg
