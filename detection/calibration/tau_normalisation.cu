#include "detection/calibration/tau_normalisation.h"

#include "detection/calibration/tau_normalisation_body.h"
#include "tensor/launch.h"

namespace tailseg {

Tensor tau_normalised(Context& ctx, const Tensor& w, double tau) {
  check_shape("tau-normalisation: weights", w, {-1, -1});
  TS_CHECK(tau >= 0 && tau <= 10, "tau-normalisation: tau is ", tau, ", expected a value from 0 to 10");
  const Tensor out = Tensor::empty(ctx, w.shape(), w.dtype());
  dispatch_full(w.dtype(), "tau_normalised", [&]<class Real>(Real) {
    for_each_item(ctx, w.size(0), TauNormaliseRow<Real>{w.data<Real>(), out.data<Real>(), w.size(1), Real(tau)});
  });
  return out;
}

}  // namespace tailseg
