#include "detection/class_gradients.h"

#include "detection/class_gradients_body.h"
#include "tensor/launch.h"

namespace tailseg {

ClassGradients::ClassGradients(const Scope& scope, int64_t classes)
    : classes_(classes), state_(scope.store().add_buffer(scope.full("class_gradients"), {2, 2 * classes}, 0)) {
  TS_CHECK(classes >= 1, "class gradients of ", classes, " classes");
}

Variable ClassGradients::watch(Context& ctx, const Variable& logits, const Tensor& labels,
                               const Tensor& columns) const {
  const ClassGradients self = *this;  // shares the state
  return record(ctx, "watch_class_gradients", logits.value(), {logits},
                [self, logits, labels, columns](Context& c, const Tensor& dy) {
                  self.add(c, dy, labels, columns);
                  logits.accumulate(c, dy);
                });
}

void ClassGradients::add(Context& ctx, const Tensor& gradient, const Tensor& labels, const Tensor& columns) const {
  const int64_t rows = gradient.size(0), width = gradient.size(1);
  check_shape("class gradients: labels", labels, {rows});
  if (columns.defined()) check_shape("class gradients: columns", columns, {classes_});
  TS_CHECK(columns.defined() || width >= classes_, "class gradients: ", width, " logits of ", classes_, " classes");
  const int64_t sums = 2 * classes_;
  dispatch_floating(gradient.dtype(), "class gradients", [&]<class Scalar>(Scalar) {
    using Real = ComputeType<Scalar>;
    TS_CHECK(state_.dtype() == dtype_of<Real>(), "class gradients: ", name_of(gradient.dtype()), " into a state of ",
             name_of(state_.dtype()));
    using Chunk = ClassGradientChunk<Scalar>;
    using Accumulate = AccumulateClassGradients<Real>;
    const int64_t chunks = (rows + Chunk::kRows - 1) / Chunk::kRows;
    const Tensor partial = Tensor::empty(ctx, {chunks, sums}, dtype_of<Real>());
    for_each_item(
        ctx, chunks,
        Chunk{gradient.data<Scalar>(), labels.data<int32_t>(), columns.defined() ? columns.data<int32_t>() : nullptr,
              partial.data<Real>(), rows, width, classes_});
    for_each_item(ctx, (sums + Accumulate::kTile - 1) / Accumulate::kTile,
                  Accumulate{partial.data<Real>(), state_.data<Real>(), chunks, sums});
  });
}

ClassGradients::Sums ClassGradients::read(Context& ctx) const {
  const Tensor sums = state_.slice(0, 1).reshape({2, classes_});
  std::vector<float> all;
  if (state_.dtype() == DType::float64) {
    for (const double value : sums.to_vector<double>(ctx)) all.push_back(static_cast<float>(value));
  } else {
    all = sums.to_vector<float>(ctx);
  }
  return {{all.begin(), all.begin() + classes_}, {all.begin() + classes_, all.end()}};
}

}  // namespace tailseg
