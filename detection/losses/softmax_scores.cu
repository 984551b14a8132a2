#include "detection/losses/softmax_scores.h"

#include "detection/losses/softmax_scores_body.h"
#include "tensor/launch.h"

namespace tailseg {
namespace {

Tensor scores_of(Context& ctx, const char* name, const Tensor& logits, double scale, bool objectness) {
  check_shape(name, logits, {-1, -1});
  const int64_t classes = logits.size(1) - (objectness ? 2 : 1);
  TS_CHECK(classes >= 1, name, ": logits ", logits.shape(), " have no class beside the ",
           objectness ? "branch" : "background");
  Tensor scores;
  dispatch_floating(logits.dtype(), name, [&]<class Scalar>(Scalar) {
    using Real = ComputeType<Scalar>;
    scores = Tensor::empty(ctx, {logits.size(0), classes}, dtype_of<Real>());
    for_each_item(ctx, logits.size(0),
                  SoftmaxScores<Scalar>{logits.data<Scalar>(), scores.data<Real>(), classes, Real(scale), objectness});
  });
  return scores;
}

}  // namespace

Tensor softmax_scores(Context& ctx, const Tensor& logits, double scale) {
  return scores_of(ctx, "softmax_scores", logits, scale, false);
}

Tensor softmax_objectness_scores(Context& ctx, const Tensor& logits) {
  return scores_of(ctx, "softmax_objectness_scores", logits, 1, true);
}

}  // namespace tailseg
