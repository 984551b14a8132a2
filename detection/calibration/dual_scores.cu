#include "detection/calibration/dual_scores.h"

#include "detection/calibration/dual_scores_body.h"
#include "tensor/launch.h"

namespace tailseg {

Tensor calibrated_shares(Context& ctx, const DualOptions& options, int64_t classes, const ClassStatistics& statistics) {
  const auto count = static_cast<size_t>(classes);
  if (options.inference != DualInference::select) {
    const float share = options.inference == DualInference::average      ? 0.5f
                        : options.inference == DualInference::calibrated ? 1.f
                                                                         : 0.f;
    return Tensor::from(ctx, {classes}, std::vector<float>(count, share));
  }
  TS_CHECK(options.threshold >= 0, "dual-head inference: T is ", options.threshold, " training instances");
  TS_CHECK(statistics.instances.size() == count, "dual-head inference: selection by T = ", options.threshold,
           " training instances, but the instances of ", statistics.instances.size(), " classes are known, not of ",
           classes, "; they come from the training set, or from a checkpoint of tailseg-calibrate");
  std::vector<float> shares;
  for (const int64_t seen : statistics.instances) {
    shares.push_back((options.strict ? seen < options.threshold : seen <= options.threshold) ? 1.f : 0.f);
  }
  return Tensor::from(ctx, {classes}, shares);
}

Tensor dual_scores(Context& ctx, const Tensor& original, const Tensor& calibrated, const Tensor& shares) {
  check_shape("dual-head inference: original scores", original, {-1, -1});
  const int64_t rows = original.size(0), classes = original.size(1);
  check_shape("dual-head inference: calibrated scores", calibrated, {rows, classes});
  check_shape("dual-head inference: shares", shares, {classes});
  TS_CHECK(original.dtype() == calibrated.dtype(), "dual-head inference: original scores of ",
           name_of(original.dtype()), ", calibrated ones of ", name_of(calibrated.dtype()));
  const Tensor scores = Tensor::empty(ctx, original.shape(), original.dtype());
  dispatch_full(original.dtype(), "dual_scores", [&]<class Real>(Real) {
    for_each_item(ctx, rows,
                  DualScores<Real>{original.data<Real>(), calibrated.data<Real>(), shares.data<float>(),
                                   scores.data<Real>(), classes});
  });
  return scores;
}

}  // namespace tailseg
