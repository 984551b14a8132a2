// The common half of the losses over rows (RoIs): sum, normaliser, and the tape.
#pragma once

#include "autograd/variable.h"

namespace tailseg {

struct RowLoss {
  Variable loss;  // [1] float32 (float64 in checks)
  Tensor counts;  // [2] int32: rows in use (label >= 0), and those among them that were hit where the loss says so
};

struct RowLossParts {
  Tensor values;               // [R] float32 or float64, 0 for unused rows
  Tensor gradient;             // input's shape and dtype: of the sum of values
  Tensor hits;                 // [R] int32, or undefined
  int64_t elements_a_row = 1;  // of the mean: see below
  Tensor weights = {};         // [R] dtype of values, 0 for unused rows: a weighted mean, or undefined
  double ceiling = 0;          // above 0: a loss above it becomes it, with gradient 0
};

// loss = sum(values) / normaliser. The normaliser is `normaliser` [1] (dtype of values) when that is defined, else the
// sum of parts.weights (1 when that is 0) when those are, else max(number of labels >= 0, 1) * elements_a_row.
// Consumes parts.gradient.
RowLoss finish_row_loss(Context& ctx, const char* name, const Variable& input, const Tensor& labels,
                        const RowLossParts& parts, const Tensor& normaliser);

DType loss_dtype(DType input);  // float32, or float64 for float64

// Memory for a loss over logits [R, W]: values, gradient and hits, not yet written.
RowLossParts row_loss_parts(Context& ctx, const Tensor& logits);

}  // namespace tailseg
