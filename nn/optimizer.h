// SGD with momentum and AdamW over a ParameterStore's arena: one launch for the ordinary parameters, one for the norms'
// (which may have their own weight decay).
#pragma once

#include <string>

#include "nn/parameter.h"

namespace tailseg {

enum class OptimizerKind : unsigned char { sgd, adamw };

struct OptimizerOptions {
  OptimizerKind kind = OptimizerKind::sgd;
  double momentum = 0.9;
  double weight_decay = 1e-4;
  double weight_decay_norm = 1e-4;  // mmdet decays norms and biases too (METHODS 6)
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  double clip_norm = 0;  // L2 norm of all gradients together; 0: no clipping
};

class Optimizer {
 public:
  Optimizer(ParameterStore& store, const OptimizerOptions& options);

  // One update from the gradients in the arena, and of the working copies. `store` must be consolidated.
  void step(double learning_rate) {
    begin_step(learning_rate);
    update();
  }
  // The same in two halves, for a step that is captured and replayed (tensor/capture.h): what changes from step to step
  // goes to the device, and the launches, which are always the same.
  void begin_step(double learning_rate);
  void update();
  // [1] on the device: the L2 norm of the last step's gradients, before clipping.
  const Tensor& gradient_norm() const { return norm_; }
  int64_t steps() const { return steps_; }

  // Exact resume: "optimizer.velocity" (or first_moment, second_moment), flat, in the arena's order.
  HostTensors state_dict() const;
  void load_state_dict(const HostTensors& tensors, int64_t steps, const std::string& source);

 private:
  ParameterStore& store_;
  OptimizerOptions options_;
  std::vector<Tensor> moments_;  // SGD: the velocity; AdamW: first and second moments
  Tensor step_values_, norm_;
  int64_t steps_ = 0;
};

}  // namespace tailseg
