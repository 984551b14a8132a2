#include "detection/losses/softmax_scores.h"

#include "detection/losses/softmax_scores_body.h"
#include "tensor/launch.h"

namespace tailseg {

Tensor softmax_scores(Context& ctx, const Tensor& logits) {
  check_shape("softmax_scores: logits", logits, {-1, -1});
  TS_CHECK(logits.size(1) >= 2, "softmax_scores: logits ", logits.shape(), " have no class beside the background");
  Tensor scores;
  dispatch_floating(logits.dtype(), "softmax_scores", [&]<class Scalar>(Scalar) {
    using Real = ComputeType<Scalar>;
    scores = Tensor::empty(ctx, {logits.size(0), logits.size(1) - 1}, dtype_of<Real>());
    for_each_item(ctx, logits.size(0),
                  SoftmaxScores<Scalar>{logits.data<Scalar>(), scores.data<Real>(), scores.size(1)});
  });
  return scores;
}

Tensor softmax_objectness_scores(Context& ctx, const Tensor& logits) {
  check_shape("softmax_objectness_scores: logits", logits, {-1, -1});
  TS_CHECK(logits.size(1) >= 3, "softmax_objectness_scores: logits ", logits.shape(),
           " have no class beside the branch");
  Tensor scores;
  dispatch_floating(logits.dtype(), "softmax_objectness_scores", [&]<class Scalar>(Scalar) {
    using Real = ComputeType<Scalar>;
    scores = Tensor::empty(ctx, {logits.size(0), logits.size(1) - 2}, dtype_of<Real>());
    for_each_item(ctx, logits.size(0),
                  SoftmaxObjectnessScores<Scalar>{logits.data<Scalar>(), scores.data<Real>(), scores.size(1)});
  });
  return scores;
}

}  // namespace tailseg
