// The common frame of an op over ClassRows, for .cu files.
#pragma once

#include "detection/losses/class_loss.h"
#include "detection/losses/class_rows.h"
#include "tensor/launch.h"

namespace tailseg {

template <class Scalar>
ClassRows<Scalar> class_rows(const LossInput& input, const RowLossParts& parts, int64_t classes) {
  const Tensor& z = input.logits.value();
  return {z.data<Scalar>(),
          input.labels.data<int32_t>(),
          parts.gradient.data<Scalar>(),
          parts.values.data<ComputeType<Scalar>>(),
          parts.hits.data<int32_t>(),
          z.size(1),
          classes};
}

struct RowTotal {
  double ceiling = 0;   // see RowLossParts
  Tensor weights = {};  // likewise; written by the body
};

// Runs the body that make(rows) returns over every row, then sums and records.
template <class Make>
RowLoss run_class_rows(Context& ctx, const char* name, const LossInput& input, int64_t classes, const Make& make,
                       const RowTotal& total = {}) {
  RowLossParts parts = row_loss_parts(ctx, input.logits.value());
  parts.ceiling = total.ceiling;
  parts.weights = total.weights;
  dispatch_floating(input.logits.value().dtype(), name, [&]<class Scalar>(Scalar) {
    for_each_item(ctx, input.logits.size(0), make(class_rows<Scalar>(input, parts, classes)));
  });
  return finish_row_loss(ctx, name, input.logits, input.labels, parts, input.normaliser);
}

}  // namespace tailseg
