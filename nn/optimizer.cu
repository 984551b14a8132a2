#include "nn/optimizer.h"

#include <cmath>

#include "nn/optimizer_body.h"
#include "tensor/elementwise_body.h"
#include "tensor/launch.h"

namespace tailseg {
namespace {

const char* moment_name(OptimizerKind kind, size_t i) {
  if (kind == OptimizerKind::sgd) return "velocity";
  return i == 0 ? "first_moment" : "second_moment";
}

HostTensor host_tensor_of(Context& ctx, const Tensor& slice) {
  std::vector<float> values;
  if (slice.dtype() == DType::float32) {
    values = slice.to_vector<float>(ctx);
  } else {
    const std::vector<double> wide = slice.to_vector<double>(ctx);
    values.assign(wide.begin(), wide.end());
  }
  return host_from_float32({slice.elements()}, values);
}

}  // namespace

Optimizer::Optimizer(ParameterStore& store, const OptimizerOptions& options) : store_(store), options_(options) {
  TS_CHECK(store.values().defined(), "Optimizer: consolidate the parameters first");
  Context& ctx = store.context();
  const size_t moments = options.kind == OptimizerKind::sgd ? 1 : 2;
  for (size_t i = 0; i < moments; ++i) moments_.push_back(Tensor::zeros(ctx, store.values().shape(), store.dtype()));
  step_values_ = Tensor::full(ctx, {StepValue::count}, 1.0, store.dtype());
  norm_ = Tensor::zeros(ctx, {1}, store.dtype());
}

void Optimizer::begin_step(double learning_rate) {
  Context& ctx = store_.context();
  const double t = static_cast<double>(++steps_);
  dispatch_full(store_.dtype(), "optimizer", [&]<class Scalar>(Scalar) {
    const std::vector<Scalar> values{Scalar(learning_rate), Scalar(1), Scalar(1 - std::pow(options_.beta1, t)),
                                     Scalar(1 - std::pow(options_.beta2, t))};
    step_values_.copy_from(ctx, Tensor::from(ctx, {StepValue::count}, values));
  });
}

void Optimizer::update() {
  Context& ctx = store_.context();
  SpanScope span(ctx, "optimizer");
  store_.complete_gradients();
  const int64_t total = store_.trained_elements(), norms = store_.norm_begin();
  dispatch_full(store_.dtype(), "optimizer", [&]<class Scalar>(Scalar) {
    Scalar* step = step_values_.data<Scalar>();
    Scalar* w = store_.values().data<Scalar>();
    const Scalar* grad = store_.gradients().data<Scalar>();

    const int64_t chunks = (total + SquaredNormChunk<Scalar>::kChunk - 1) / SquaredNormChunk<Scalar>::kChunk;
    const Tensor partial = Tensor::empty(ctx, {chunks}, store_.dtype());
    const Tensor squared = Tensor::empty(ctx, {1}, store_.dtype());
    for_each_item(ctx, chunks, SquaredNormChunk<Scalar>{grad, partial.data<Scalar>(), total});
    for_each_item(ctx, 1, SumRow<Scalar>{partial.data<Scalar>(), squared.data<Scalar>(), chunks});
    for_each_item(ctx, 1, ClipScale<Scalar>{squared.data<Scalar>(), norm_.data<Scalar>(), step, options_.clip_norm});

    const struct {
      int64_t begin, end;
      double decay;
    } parts[] = {{0, norms, options_.weight_decay}, {norms, total, options_.weight_decay_norm}};
    for (const auto& part : parts) {
      const int64_t n = part.end - part.begin, at = part.begin;
      if (options_.kind == OptimizerKind::sgd) {
        for_each_item(
            ctx, n,
            SgdStep<Scalar>{w + at, grad + at, moments_[0].data<Scalar>() + at, step, options_.momentum, part.decay});
      } else {
        for_each_item(
            ctx, n,
            AdamwStep<Scalar>{w + at, grad + at, moments_[0].data<Scalar>() + at, moments_[1].data<Scalar>() + at, step,
                              options_.beta1, options_.beta2, options_.eps, part.decay});
      }
    }
  });
  store_.refresh_working();
}

HostTensors Optimizer::state_dict() const {
  HostTensors out;
  for (size_t i = 0; i < moments_.size(); ++i) {
    out[std::string("optimizer.") + moment_name(options_.kind, i)] = host_tensor_of(store_.context(), moments_[i]);
  }
  return out;
}

void Optimizer::load_state_dict(const HostTensors& tensors, int64_t steps, const std::string& source) {
  Context& ctx = store_.context();
  for (size_t i = 0; i < moments_.size(); ++i) {
    const std::string name = std::string("optimizer.") + moment_name(options_.kind, i);
    const auto found = tensors.find(name);
    TS_CHECK(found != tensors.end(), source, ": no tensor ", name, "; was it written by another optimizer?");
    const std::vector<float> values = host_to_float32(found->second, name);
    TS_CHECK(static_cast<int64_t>(values.size()) == moments_[i].elements(), source, ": ", name, " has ", values.size(),
             " elements, the model trains ", moments_[i].elements());
    if (store_.dtype() == DType::float32) {
      moments_[i] = Tensor::from(ctx, moments_[i].shape(), values);
    } else {
      moments_[i] = Tensor::from(ctx, moments_[i].shape(), std::vector<double>(values.begin(), values.end()));
    }
  }
  steps_ = steps;
}

}  // namespace tailseg
