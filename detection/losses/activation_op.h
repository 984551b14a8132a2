// For .cu files: the chosen activation as a type.
#pragma once

#include "detection/losses/activation.h"
#include "detection/losses/activation_body.h"
#include "detection/losses/class_rows_op.h"

namespace tailseg {

template <class Real>
GumbelLink<Real> gumbel_link(const ActivationOptions& activation) {
  return {Real(activation.clamp_low), Real(activation.clamp_high), activation.gradient == "collapsed"};
}

// run_class_rows for bodies that take a link: make(rows, link).
template <class Make>
RowLoss run_binary_rows(Context& ctx, const char* name, const LossInput& input, int64_t classes,
                        const ActivationOptions& activation, const Make& make, const RowTotal& total = {}) {
  const auto with_sigmoid = [&]<class Scalar>(const ClassRows<Scalar>& rows) { return make(rows, SigmoidLink{}); };
  const auto with_gumbel = [&]<class Scalar>(const ClassRows<Scalar>& rows) {
    return make(rows, gumbel_link<ComputeType<Scalar>>(activation));
  };
  if (activation.is_gumbel()) return run_class_rows(ctx, name, input, classes, with_gumbel, total);
  return run_class_rows(ctx, name, input, classes, with_sigmoid, total);
}

}  // namespace tailseg
