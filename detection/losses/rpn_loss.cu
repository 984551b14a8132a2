#include "detection/losses/rpn_loss.h"

#include "autograd/arithmetic.h"
#include "detection/losses/row_loss.h"
#include "detection/losses/rpn_loss_body.h"
#include "tensor/launch.h"

namespace tailseg {
namespace {

template <class Scalar>
RpnPacked<Scalar> layout_of(const std::vector<Variable>& levels, int64_t anchors_per_cell) {
  RpnPacked<Scalar> packed{};
  packed.levels = static_cast<int64_t>(levels.size());
  packed.channels = levels[0].size(3);
  packed.per_cell = anchors_per_cell;
  for (size_t l = 0; l < levels.size(); ++l) {
    packed.cells[l] = levels[l].size(1) * levels[l].size(2);
    packed.first[l + 1] = packed.first[l] + packed.cells[l] * anchors_per_cell;
  }
  return packed;
}

void check(const std::vector<Variable>& levels, const RpnTargets& targets, const RpnLossOptions& options) {
  TS_CHECK(!levels.empty() && levels.size() <= kMaxRpnLevels, "rpn_loss: ", levels.size(), " levels; expected 1 to ",
           kMaxRpnLevels);
  const Tensor& first = levels[0].value();
  for (const Variable& level : levels) {
    check_shape("rpn_loss: a level", level.value(), {first.size(0), -1, -1, first.size(3)});
    TS_CHECK(level.value().dtype() == first.dtype(), "rpn_loss: levels of ", name_of(first.dtype()), " and ",
             name_of(level.value().dtype()));
  }
  TS_CHECK(options.anchors_per_cell > 0 && 5 * options.anchors_per_cell <= first.size(3), "rpn_loss: ", first.size(3),
           " channels for ", options.anchors_per_cell, " anchors a cell; expected at least 5 for each");
  TS_CHECK(options.beta >= 0 && options.per_image > 0, "rpn_loss: beta is ", options.beta, " and per_image ",
           options.per_image, "; expected 0 or more, and more than 0");
  check_shape("rpn_loss: index", targets.index, {first.size(0), -1});
  check_shape("rpn_loss: label", targets.label, {first.size(0), targets.index.size(1)});
  check_shape("rpn_loss: deltas", targets.deltas, {first.size(0), targets.index.size(1), 4});
}

struct Kept {  // for the backward pass
  Tensor slopes, inverse, counts;
};

template <class Scalar>
Tensor forward(Context& ctx, const std::vector<Variable>& levels, const RpnTargets& targets,
               const RpnLossOptions& options, Kept& kept) {
  using Real = ComputeType<Scalar>;
  const DType dtype = dtype_of<Real>();
  const int64_t images = targets.index.size(0), samples = targets.index.size(1), total = images * samples;
  const Tensor values = Tensor::empty(ctx, {2, total}, dtype), losses = Tensor::empty(ctx, {2}, dtype);
  kept.slopes = Tensor::empty(ctx, {images, samples, 5}, dtype);
  kept.inverse = Tensor::empty(ctx, {1}, dtype);
  kept.counts = Tensor::empty(ctx, {2}, DType::int32);
  RpnPacked<const Scalar> packed = layout_of<const Scalar>(levels, options.anchors_per_cell);
  for (size_t l = 0; l < levels.size(); ++l) packed.data[l] = levels[l].value().data<Scalar>();
  const auto* labels = targets.label.data<int32_t>();
  for_each_item(
      ctx, total,
      RpnLossSample<Scalar>{packed, targets.index.data<int32_t>(), labels, targets.deltas.data<Real>(),
                            values.data<Real>(), kept.slopes.data<Real>(), samples, total, Real(options.beta)});
  for_each_item(
      ctx, 1,
      RpnLossTotal<Real>{values.data<Real>(), labels, losses.data<Real>(), kept.inverse.data<Real>(),
                         kept.counts.data<int32_t>(), images, samples, options.normaliser, Real(options.per_image)});
  return losses;
}

template <class Scalar>
void backward_to_levels(Context& ctx, const std::vector<Variable>& levels, const RpnTargets& targets,
                        const RpnLossOptions& options, const Kept& kept, const Tensor& dy) {
  using Real = ComputeType<Scalar>;
  RpnPacked<Scalar> packed = layout_of<Scalar>(levels, options.anchors_per_cell);
  std::vector<Tensor> gradients(levels.size());
  for (size_t l = 0; l < levels.size(); ++l) {
    if (!levels[l].requires_grad()) continue;
    gradients[l] = levels[l].grad_destination(ctx);
    gradients[l].zero(ctx);
    packed.data[l] = gradients[l].data<Scalar>();
  }
  for_each_item(ctx, targets.index.elements(),
                RpnLossSpread<Scalar>{packed, targets.index.data<int32_t>(), targets.label.data<int32_t>(),
                                      kept.slopes.data<Real>(), dy.data<Real>(), kept.inverse.data<Real>(),
                                      targets.index.size(1)});
  for (size_t l = 0; l < levels.size(); ++l) {
    if (gradients[l].defined()) levels[l].accumulate(ctx, gradients[l]);
  }
}

}  // namespace

RpnLoss rpn_loss(Context& ctx, const std::vector<Variable>& levels, const RpnTargets& targets,
                 const RpnLossOptions& options) {
  check(levels, targets, options);
  const DType dtype = levels[0].value().dtype();
  Tensor losses;
  Kept kept;
  dispatch_floating(dtype, "rpn_loss",
                    [&]<class Scalar>(Scalar) { losses = forward<Scalar>(ctx, levels, targets, options, kept); });
  const Variable both =
      record(ctx, "rpn_loss", losses, levels, [levels, targets, options, kept, dtype](Context& c, const Tensor& dy) {
        dispatch_floating(dtype, "rpn_loss", [&]<class Scalar>(Scalar) {
          backward_to_levels<Scalar>(c, levels, targets, options, kept, dy);
        });
      });
  return {slice_rows(ctx, both, 0, 1), slice_rows(ctx, both, 1, 2), kept.counts};
}

}  // namespace tailseg
