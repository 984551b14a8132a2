// The update rules over the flat arena: one item = one element. What changes from step to step (learning rate, gradient
// scale) is read from device memory, so that a captured step replays with fresh values.
#pragma once

#include "tensor/body.h"

namespace tailseg {

// Indices into the array of step values.
struct StepValue {
  static constexpr int learning_rate = 0;
  static constexpr int gradient_scale = 1;     // min(1, clip / norm), or 1
  static constexpr int first_correction = 2;   // AdamW: 1 - beta1^t
  static constexpr int second_correction = 3;  // AdamW: 1 - beta2^t
  static constexpr int count = 4;
};

// SGD with momentum as the references do it (METHODS 6): the decay joins the gradient before the momentum, no Nesterov,
// no dampening; with a zero buffer the first step's buffer is the gradient.
//   g = scale * grad + decay * w;  v = momentum * v + g;  w -= lr * v
template <class Scalar>
struct SgdStep {
  static constexpr const char* name = "sgd_step";
  static constexpr Lanes lanes = Lanes::one;
  Scalar* w;
  const Scalar* grad;
  Scalar* velocity;
  const Scalar* step;  // StepValue
  double momentum, decay;

  template <class Group>
  TS_HD void operator()(Group, int64_t i) const {
    const Scalar g = step[StepValue::gradient_scale] * grad[i] + Scalar(decay) * w[i];
    const Scalar v = Scalar(momentum) * velocity[i] + g;
    velocity[i] = v;
    w[i] -= step[StepValue::learning_rate] * v;
  }
  Cost cost(int64_t n) const { return {5.0 * sizeof(Scalar) * n, 6.0 * n}; }
};

// AdamW (Loshchilov & Hutter 2019): the decay acts on the weights, not on the gradient.
template <class Scalar>
struct AdamwStep {
  static constexpr const char* name = "adamw_step";
  static constexpr Lanes lanes = Lanes::one;
  Scalar* w;
  const Scalar* grad;
  Scalar* first;
  Scalar* second;
  const Scalar* step;  // StepValue
  double beta1, beta2, eps, decay;

  template <class Group>
  TS_HD void operator()(Group, int64_t i) const {
    const Scalar lr = step[StepValue::learning_rate];
    const Scalar g = step[StepValue::gradient_scale] * grad[i];
    const Scalar m = Scalar(beta1) * first[i] + Scalar(1 - beta1) * g;
    const Scalar v = Scalar(beta2) * second[i] + Scalar(1 - beta2) * g * g;
    first[i] = m;
    second[i] = v;
    const Scalar decayed = w[i] - lr * Scalar(decay) * w[i];
    const Scalar denominator = math::sqrt(v / step[StepValue::second_correction]) + Scalar(eps);
    w[i] = decayed - lr * (m / step[StepValue::first_correction]) / denominator;
  }
  Cost cost(int64_t n) const { return {7.0 * sizeof(Scalar) * n, 16.0 * n}; }
};

// One item = one chunk of the gradient arena; lanes walk it. Sums of squares, to be added in order by SumRow.
template <class Scalar>
struct SquaredNormChunk {
  static constexpr const char* name = "squared_norm_chunk";
  static constexpr Lanes lanes = Lanes::block;
  static constexpr int64_t kChunk = 16384;
  const Scalar* grad;
  Scalar* partial;
  int64_t n;

  template <class Group>
  TS_HD void operator()(Group group, int64_t chunk) const {
    const int64_t begin = chunk * kChunk;
    const Scalar total = sum_over<Scalar>(group, math::min(kChunk, n - begin),
                                          [&](int64_t i) { return grad[begin + i] * grad[begin + i]; });
    if (group.rank() == 0) partial[chunk] = total;
  }
  Cost cost(int64_t) const { return {sizeof(Scalar) * double(n), 2.0 * double(n)}; }
};

// One item in all: norm = sqrt(sum of squares); the gradient scale becomes min(1, clip / (norm + 1e-6)), as PyTorch's
// clip_grad_norm_; clip <= 0 leaves it at 1.
template <class Scalar>
struct ClipScale {
  static constexpr const char* name = "clip_scale";
  static constexpr Lanes lanes = Lanes::one;
  const Scalar* squared;
  Scalar* norm;
  Scalar* step;  // StepValue
  double clip;

  template <class Group>
  TS_HD void operator()(Group, int64_t) const {
    norm[0] = math::sqrt(squared[0]);
    const Scalar ratio = Scalar(clip) / (norm[0] + Scalar(1e-6));
    step[StepValue::gradient_scale] = (clip > 0 && ratio < Scalar(1)) ? ratio : Scalar(1);
  }
  Cost cost(int64_t) const { return {16, 4}; }
};

}  // namespace tailseg
